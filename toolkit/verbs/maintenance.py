"""Pauses all DAGs, so that nothing new begins while somebody works on the cluster; and lets them go on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster, Inventory
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts.answer import read
from toolkit.onhost.bundle import program
from toolkit.run.session import Options, session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.validate import refuse_wrong

PAUSE = Step("pause", "pausing all DAGs", "all DAGs are paused")
GO_ON = Step("go on", "letting DAGs go on", "DAGs go on")


@dataclass(frozen=True)
class Answer:
    """What onhost/maintenance.py did: how many DAGs, how many tasks still run, whether it had been on."""

    dags: int = 0
    tasks: int = 0
    was_on: bool = True
    error: str = ""


@dataclass
class Result:
    """What it came to."""

    exit_code: int
    cluster: str
    dags: int = 0
    tasks: int = 0
    was_on: bool = True
    seconds: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON data."""
        return {"ok": self.exit_code == 0, **asdict(self)}


def maintenance(inventory: Inventory | Path, options: Options, action: str) -> Result:
    """Pause all DAGs, or let those go on that were not paused before.

    Args:
        action: on or off.

    Raises:
        ToolkitError: the scheduler's host or the database does not answer, or another run works on the cluster.
    """
    cluster = Cluster.load(inventory)
    refuse_wrong(cluster)
    result = Result(EXIT_FAILED, cluster.name)
    with session(cluster.inventory.identity, "maintenance", options) as work:

        def switch() -> bool:
            payload = {"action": action, "by": f"{work.holder.user}@{work.holder.machine}"}
            remote, schedulers = work.connect(cluster), cluster.group("scheduler")
            # Which of them was the first when it was turned on, nobody knows.
            for host in schedulers if action == "off" else schedulers[:1]:
                answer = read(Answer, remote.run_script(host, program("maintenance"), payload))
                if answer.error:
                    raise ToolkitError(
                        f"the database does not answer: {answer.error}", where=host.name,
                        fix=f"toolkit status -i {cluster.inventory}", exit_code=EXIT_FAILED,
                    )  # fmt: skip
                if answer.was_on:
                    break
            result.dags, result.tasks, result.was_on = answer.dags, answer.tasks, answer.was_on
            return True

        work.connect(cluster)
        if not options.dry:
            work.take_lease(cluster)
        step, dry = (PAUSE, "pause all DAGs") if action == "on" else (GO_ON, "let DAGs go on")
        if work.carry_out([Stage(step, switch, dry=dry, changes=True)]):
            result.exit_code = work.exit_code = 0
        result.seconds = round(work.progress.elapsed(), 1)
    return result
