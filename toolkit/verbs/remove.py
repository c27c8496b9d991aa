"""Takes a host out of a cluster: drained, stopped, cleaned of what is ours, and forgotten by the others."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit.checks.serving import left_undone, there
from toolkit.cluster import Cluster, Host, Inventory
from toolkit.cluster.tables import server_groups
from toolkit.cluster.topology import airflow_components, servers
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import HostProblem
from toolkit.hosts.leaving import Cleaned, clean, files_of, lines_of
from toolkit.hosts.members import forget_member
from toolkit.hosts.state import HostState, states
from toolkit.run.session import Options, Session, session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.drain import ASK, BEGIN, STOP, WAIT
from toolkit.verbs.draining import Draining
from toolkit.verbs.validate import refuse_wrong

GONE = ("unreachable", "timeout", "host_key_changed")
"""The problems of a host that may not be there any more; another one may have its address by now."""
CLEAN = Step("clean", "removing what is ours", "what is ours is removed")
FORGET = Step("forget", "having the others forget it", "the others have forgotten it")


@dataclass(frozen=True)
class Wanted:
    """What the command line says.

    Attributes:
        gone: the host does not exist any more.
        purge: also remove what Airflow and its users have written there.
        deadline: seconds that its tasks may take to end.
    """

    gone: bool = False
    purge: bool = False
    deadline: float = 7200.0


@dataclass
class Result:
    """What it came to.

    Attributes:
        stays: what is still on the host: directories, and the users that own them.
        lines: of the inventory, to be deleted: "hosts.yml:12: w5:".
        files: of the inventory, likewise.
    """

    exit_code: int
    cluster: str
    host: str
    stays: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    record: str = ""

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON data."""
        return {"ok": self.exit_code == 0, **asdict(self)}


def remove(inventory: Inventory | Path, options: Options, name: str, wanted: Wanted) -> Result:
    """Take a host out of its cluster.

    Raises:
        ToolkitError: there is no such host, it cannot be spared, its tasks have not ended in time, or another run
            works on the cluster.
    """
    cluster = Cluster.load(inventory)
    refuse_wrong(cluster)
    host = chosen(cluster, name)
    result = Result(EXIT_FAILED, cluster.name, host.name)
    with session(cluster.inventory.identity, "remove", options) as work:
        result.record = str(work.record.directory)
        leaving = _Leaving(cluster, work, host, wanted, result)
        work.connect(cluster)
        if not options.dry:
            work.take_lease(cluster, [host])
        if work.carry_out(leaving.stages()):
            result.exit_code = work.exit_code = 0
        result.lines = [str(one) for one in lines_of(cluster, host.name)]
        result.files = [str(path) for path in files_of(cluster, host.name)]
        result.seconds, result.stages = round(work.progress.elapsed(), 1), work.record.stages
    return result


def chosen(cluster: Cluster, name: str) -> Host:
    """The host, which has no server whose data would go with it.

    Raises:
        ToolkitError: there is no such host, or it has one.
    """
    hosts = {host.name: host for host in cluster.all_hosts}
    if name not in hosts:
        raise ToolkitError(
            f"there is no host {name} in {cluster.name}", fix=f"use one of: {', '.join(hosts)}"
        )
    if servers(cluster, hosts[name]):
        urls = " or ".join(server_groups()[group].url for group in server_groups())
        raise ToolkitError(
            f"it has the cluster's {' and '.join(servers(cluster, hosts[name]))}, whose data would go with it",
            where=name, fix=f"move that to another server first, and name it in {urls}",
        )  # fmt: skip
    return hosts[name]


class _Leaving:
    """The stages of one removal."""

    def __init__(
        self, cluster: Cluster, work: Session, host: Host, wanted: Wanted, result: Result
    ) -> None:
        self.cluster = cluster
        self.work = work
        self.host = host
        self.wanted = wanted
        self.result = result
        self.others = [one for one in cluster.all_hosts if one.name != host.name]

    def stages(self) -> list[Stage]:
        """From the question whether it can be spared to what the others know."""
        forget = Stage(FORGET, self.forget, dry="have the others forget it", changes=True)
        if self.wanted.gone:
            return [Stage(ASK, self.ask), forget]
        draining = Draining(self.cluster, self.work, [self.host], "remove")
        drains = [
            Stage(BEGIN, draining.begin, dry="have its worker consume nothing more", changes=True),
            Stage(WAIT, lambda: self._wait(draining), dry="wait until its tasks have ended"),
            Stage(STOP, draining.stop, dry="stop its worker"),
        ]
        return [
            Stage(ASK, self.ask),
            *(drains if "worker" in airflow_components(self.cluster, self.host) else []),
            Stage(CLEAN, self.clean, dry="remove what is ours from it", changes=True),
            forget,
        ]

    def ask(self) -> bool:
        """Whether the others do all that it does, and whether it is there or not."""
        cluster = self.cluster
        asked = [
            host
            for host in cluster.all_hosts
            if airflow_components(cluster, host) or host == self.host
        ]
        found = states(cluster, self.work.connect(cluster), asked, servers=False)
        self._refuse_presence(found)
        if any(one.maintenance for one in found if one.host == self.host):
            raise ToolkitError(
                "it keeps which DAGs go on after the maintenance that is on", where=self.host.name,
                fix=f"toolkit maintenance -i {cluster.inventory} off",
            )  # fmt: skip
        leaving = {(self.host.name, name) for name in there(cluster, self.host)}
        undone = left_undone(cluster, found, leaving)
        if undone:
            raise ToolkitError(
                f"it is {', '.join(undone)}: nothing was changed", where=self.host.name,
                fix="add another one first: toolkit provision --limit NEW_HOST",
            )  # fmt: skip
        return True

    def _refuse_presence(self, found: list[HostState]) -> None:
        problem = next((one.problem for one in found if one.host == self.host), None)
        if problem and not (self.wanted.gone and problem.kind in GONE):
            fix = (
                ""
                if problem.kind not in GONE
                else f"; if it is gone for good: toolkit remove -i {self.cluster.inventory} {self.host.name} --gone"
            )
            raise HostProblem(problem.kind, self.host.name, problem.what, f"{problem.fix}{fix}")
        if self.wanted.gone and not problem:
            raise ToolkitError(
                "it answers, so it is not gone: nothing was changed", where=self.host.name,
                fix=f"toolkit remove -i {self.cluster.inventory} {self.host.name}",
            )  # fmt: skip

    def _wait(self, draining: Draining) -> bool:
        if draining.wait(self.wanted.deadline):
            return True
        raise ToolkitError(
            f"it consumes nothing more, and {draining.unfinished()[1]}",
            where=self.host.name, exit_code=EXIT_FAILED,
            fix=f"run it again to go on; back: toolkit undrain -i {self.cluster.inventory} {self.host.name}",
        )  # fmt: skip

    def clean(self) -> bool:
        """Remove what is ours from it."""
        remote = self.work.connect(self.cluster)
        found: Cleaned = clean(self.cluster, remote, self.host, purge=self.wanted.purge)
        self.result.stays = list(found.stays)
        return True

    def forget(self) -> bool:
        """Take it out of the lists of members."""
        remote = self.work.connect(self.cluster)
        for problem in forget_member(self.cluster, remote, self.host.name, self.others):
            self.work.progress.say(
                f"{problem.where} still has it on its list until its next provision: {problem.what}"
            )
        return True
