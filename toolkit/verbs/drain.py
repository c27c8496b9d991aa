"""Takes workers out of work without losing a task: they consume nothing more, end what they have, and stop."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.checks.serving import left_undone
from toolkit.cluster import Cluster, Host, Inventory
from toolkit.cluster.topology import airflow_components
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts.state import states
from toolkit.run.session import Options, Session, session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.draining import Draining
from toolkit.verbs.validate import refuse_wrong

ASK = Step("ask", "asking the hosts", "hosts asked")
BEGIN = Step("begin", "telling them to consume nothing more", "they consume nothing more")
WAIT = Step("wait", "waiting until their tasks have ended", "their tasks have ended")
STOP = Step("stop", "stopping the workers", "workers stopped")
BACK = Step("back", "having them consume their queues again", "they consume their queues")


@dataclass
class Result:
    """What it came to; `hosts` are those in play."""

    exit_code: int
    cluster: str
    hosts: list[str] = field(default_factory=list)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    record: str = ""

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON data."""
        return {"ok": self.exit_code == 0, **asdict(self)}


def drain(
    inventory: Inventory | Path, options: Options, pattern: str, deadline: float, *, yes: bool
) -> Result:
    """Drain the workers that a pattern names.

    Args:
        deadline: seconds that their tasks may take to end.
        yes: whether they may be the last ones that consume a queue.

    Raises:
        ToolkitError: a host is wrong, it is the last one, its tasks have not ended in time, or another run works on
            the cluster.
    """
    cluster = Cluster.load(inventory)
    hosts = workers(cluster, pattern)

    def stages(work: Session) -> list[Stage]:
        draining = Draining(cluster, work, hosts)
        names = ", ".join(host.name for host in hosts)

        def wait() -> bool:
            if draining.wait(deadline):
                return True
            name, does = draining.unfinished()
            raise ToolkitError(
                f"it consumes nothing more, and {does}", where=name,
                fix=f"to wait for longer, run it again; back: toolkit undrain -i {cluster.inventory} {pattern}",
                exit_code=EXIT_FAILED,
            )  # fmt: skip

        return [
            Stage(ASK, lambda: _refuse_last(cluster, work, hosts, yes=yes)),
            Stage(BEGIN, draining.begin, dry=f"have {names} consume nothing more", changes=True),
            Stage(WAIT, wait, dry="wait until their tasks have ended"),
            Stage(STOP, draining.stop, dry="stop their workers, also over reboots"),
        ]  # fmt: skip

    return carry_out(cluster, "drain", options, hosts, stages)


def undrain(inventory: Inventory | Path, options: Options, pattern: str) -> Result:
    """Have the workers that a pattern names consume their queues again.

    Raises:
        ToolkitError: a host is wrong, or does not answer in time, or another run works on the cluster.
    """
    cluster = Cluster.load(inventory)
    hosts = workers(cluster, pattern)

    def stages(work: Session) -> list[Stage]:
        back = Draining(cluster, work, hosts)
        return [
            Stage(BACK, back.back, dry="have them consume their queues", changes=True)
        ]  # fmt: skip

    return carry_out(cluster, "undrain", options, hosts, stages)


def workers(cluster: Cluster, pattern: str) -> list[Host]:
    """The hosts of a pattern, all of which have to run workers.

    Raises:
        ToolkitError: the inventory is wrong, there is no such host, or it runs none.
    """
    refuse_wrong(cluster)
    hosts = list(replace(cluster, limit=pattern).hosts)
    able = [
        host.name for host in cluster.all_hosts if "worker" in airflow_components(cluster, host)
    ]
    if not hosts:
        names = ", ".join(able or [host.name for host in cluster.all_hosts])
        raise ToolkitError(f"{pattern} is no host of {cluster.name}", fix=f"use one of: {names}")
    for host in hosts:
        if host.name not in able:
            raise ToolkitError(
                "this host runs no worker, so there is nothing to drain", where=host.name,
                fix=f"use one of: {', '.join(able)}" if able
                else f"toolkit stop -i {cluster.inventory} --limit {host.name}",
            )  # fmt: skip
    return hosts


def carry_out(
    cluster: Cluster, verb: str, options: Options, hosts: list[Host], stages: Any
) -> Result:
    """Do the stages, as a run that keeps other control machines off the cluster."""
    result = Result(EXIT_FAILED, cluster.name, [host.name for host in hosts])
    with session(cluster.inventory.identity, verb, options) as work:
        result.record = str(work.record.directory)
        work.connect(cluster)
        if not options.dry:
            work.take_lease(cluster, hosts)
        if work.carry_out(stages(work)):
            result.exit_code = work.exit_code = 0
        result.seconds, result.stages = round(work.progress.elapsed(), 1), work.record.stages
    return result


def _refuse_last(cluster: Cluster, work: Session, hosts: list[Host], *, yes: bool) -> bool:
    asked = [host for host in cluster.all_hosts if airflow_components(cluster, host)]
    found = states(cluster, work.connect(cluster), asked, servers=False)
    refuse_unreachable(found, hosts)
    undone = left_undone(cluster, found, {(host.name, "worker") for host in hosts})
    if undone and not yes:
        raise ToolkitError(
            f"with it would go {', '.join(undone)}, and its tasks would wait: nothing was changed",
            where=", ".join(host.name for host in hosts),
            fix="if that is meant, run it again with --yes",
        )
    return True


def refuse_unreachable(found: Any, hosts: list[Host]) -> None:
    """Hosts in play that could not be asked.

    Raises:
        HostProblem: the first of them.
    """
    for state in found:
        if state.problem and state.host in hosts:
            raise state.problem
