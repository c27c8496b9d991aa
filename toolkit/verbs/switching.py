"""What a deploy and a rollback have in common: Airflow imports a release, then it becomes the current one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any

from toolkit.checks import dags as rules
from toolkit.cluster import Cluster, Host
from toolkit.cluster.dags import DAGS, PLUGINS, differences
from toolkit.cluster.topology import major
from toolkit.errors import EXIT_FAILED, EXIT_REFUSED, ToolkitError
from toolkit.findings import Finding, errors
from toolkit.hosts import Remote
from toolkit.hosts.dags import HostDags, dag_hosts, parsing_hosts, remove, switch
from toolkit.hosts.gate import Gate, Importing, Kept, end_left, importing
from toolkit.onhost.in_airflow.dags import BUNDLE
from toolkit.run.session import Options, Session, session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.releases import now, prune, seen

GATE = Step("gate", "importing the DAGs as Airflow does", "imported")
SWITCH = Step("switch", "switching", "switched")
SEEN = Step("seen", "waiting until Airflow shows the DAGs", "shown by Airflow")


@dataclass
class Result:
    """What it came to, for people and as JSON.

    Attributes:
        release: the id; of the current release where there is nothing to do.
        former: that of the release that was current before; "" where DAGs were not deployed.
        files: how many it has; dags: how many DAGs.
        added: files that are new; changed: that differ; removed: that are gone.
        removed_dags: ids of DAGs that are gone.
        sent: bytes that were sent to all hosts together.
        unchanged: whether there was nothing to do.
        restart: whether units began with other plugins, and still have to start again.
        restarted: whether they did, in this run.
    """

    exit_code: int
    cluster: str
    source: str = ""
    ref: str = ""
    commit: str = ""
    release: str = ""
    former: str = ""
    hosts: list[str] = field(default_factory=list)
    files: int = 0
    dags: int = 0
    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    removed_dags: list[str] = field(default_factory=list)
    sent: int = 0
    unchanged: bool = False
    restart: bool = False
    restarted: bool = False
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    record: str = ""

    def as_json(self) -> dict[str, Any]:
        """All of it as plain JSON data."""
        return {"ok": self.exit_code == 0, **asdict(self)}


class Switching:
    """The stages from a release that is on the hosts to one that Airflow shows.

    Args:
        removal: whether DAGs may disappear.
        skip: ids of findings that do not count.
        back: whether it is the way back.
    """

    def __init__(
        self,
        cluster: Cluster,
        work: Session,
        result: Result,
        *,
        removal: bool,
        skip: tuple[str, ...],
        back: bool = False,
    ) -> None:
        self.cluster = cluster
        self.work = work
        self.result = result
        self.removal = removal
        self.skip = skip
        self.back = back
        self.versioned = major(cluster) != "2"
        self.hosts = dag_hosts(cluster)
        self.parsing = parsing_hosts(cluster)
        result.hosts = [host.name for host in self.hosts]
        self.open = ExitStack()
        self.there: dict[str, HostDags] = {}
        self.files: Mapping[str, str] = {}
        """The release's files: path -> what makes a file the same."""
        self.importing: Importing
        self.gate = Gate()
        self.changed_dags: list[str] = []
        self.kept = Kept()
        self.switching = False
        """Whether the release may be current by now."""
        self.since = ""

    def __enter__(self) -> Switching:
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()

    @property
    def remote(self) -> Remote:
        """The connections to the hosts."""
        return self.work.connect(self.cluster)

    def stages(self) -> list[Stage]:
        """In their order."""
        return [
            Stage(GATE, self.examine),
            Stage(
                SWITCH, self.switch, dry="make it the current release", changes=True, at_once=False
            ),
        ]

    def restarts(self) -> list[Stage]:
        """What has units begin with the release's plugins, once it is the current one."""
        return []

    def last(self) -> list[Stage]:
        """After that: DAGs may need those plugins to be shown."""
        if self.result.unchanged:
            return []
        return [Stage(SEEN, self.await_seen, dry="wait until Airflow shows it")]

    def begin_import(self, tests: str = "") -> Importing:
        """Airflow takes seconds to be imported, so it begins before the release is there."""
        host, unit = self.parsing[0]
        self.importing = self.open.enter_context(
            importing(self.remote, host, unit, self.result.release, tests)
        )
        return self.importing

    def is_current(self) -> bool:
        """Whether it is the current release of every host already, and whole, so that nothing is left to do."""
        release = self.result.release
        if all(one.current == release and one.has(release) for one in self.there.values()):
            end_left(self.remote, self.parsing[0][0])
            self.result.unchanged, self.result.restart = True, self._is_stale()
        return self.result.unchanged

    def origin(self) -> dict[str, Any]:
        """Where its files are from; {} as the release has it."""
        return {}

    def who(self) -> str:
        """As the journal and releases have it."""
        return f"{self.work.holder.user}@{self.work.holder.machine}"

    def goes_on(self, found: list[Finding]) -> bool:
        """Keep what was found; whether nothing of it is an error."""
        self.result.findings += [one for one in found if one.id not in self.skip]
        if errors(self.result.findings):
            self.result.exit_code = EXIT_REFUSED
            return False
        return True

    def examine(self) -> bool:
        """What Airflow finds in it."""
        self.gate = self.importing.found()
        if self.gate.error:
            raise self._not_imported()
        self.result.dags = len(self.gate.dags)
        found = rules.gate(
            self.gate, self.importing.host.name, str(self.cluster.inventory), removal=self.removal
        )
        goes_on = self.goes_on(list(found))
        if goes_on:
            self._compare()
            self.work.end_step(f"{self.result.dags} DAGs in {self.gate.files} files")
        return goes_on

    def _not_imported(self) -> ToolkitError:
        """No answer is nothing that could be skipped."""
        reading, error = self.gate.reading, self.gate.error
        what = f"no DAG could be imported: {error}"
        fix = f"toolkit status -i {self.cluster.inventory} shows how Airflow is on this host"
        if reading:
            what, fix = f"{reading}: {error}", f"correct {reading}"
        elif "recursive loop" in error:
            fix = "a folder is there twice, by way of a link: remove the link, or name it in .airflowignore"
        return ToolkitError(
            what, where=self.importing.host.name, fix=fix, exit_code=EXIT_REFUSED
        )  # fmt: skip

    def _compare(self) -> None:
        """Which files and DAGs differ from those that are current."""
        former, result = self.there[self.importing.host.name].files, self.result
        result.added, result.changed, result.removed = differences(former, self.files)
        result.removed_dags = sorted(one.dag for one in rules.disappearing(self.gate))
        differ = any(path.startswith(f"{PLUGINS}/") for path in self._differing())
        result.restart = differ or self._is_stale()
        self.changed_dags = self._changed_dags()

    def _is_stale(self) -> bool:
        """Whether units have run since before the plugins of the release that was found current were there."""
        return any(one.stale for one in self.there.values())

    def _differing(self) -> list[str]:
        return [*self.result.added, *self.result.changed, *self.result.removed]

    def _changed_dags(self) -> list[str]:
        """The DAGs that differ: those of changed files; all, where a file differs that others may read."""
        differing = {
            path.removeprefix(f"{DAGS}/") if path.startswith(f"{DAGS}/") else f"../{path}"
            for path in self._differing()
        }
        ours = {one.dag for one in self.gate.known if one.bundle == BUNDLE or not self.versioned}
        every = bool(differing - set(self.gate.dags.values()))
        return [
            dag
            for dag, file in self.gate.dags.items()
            if every or file in differing or dag not in ours
        ]

    def switch(self) -> bool:
        """Make it the current release: for Airflow 3 by its version, for Airflow 2 by the files there are."""
        self.switching, self.since = True, now()
        files = sorted({self.gate.dags[dag] for dag in self.changed_dags})
        if self.versioned:
            # New runs begin with the release from here on: it is on every host. The link comes after it, so that
            # Airflow's own reading does not register the same new DAG at the same moment.
            self._keep(files)
            self._switch(files)
        else:
            self._switch(files)
            self._keep(files)
        return True

    def _keep(self, files: list[str]) -> None:
        self.kept = self.importing.keep(files, self.result.removed_dags)
        if self.kept.error:
            self.work.progress.say(
                f"Airflow reads the DAGs by itself, which takes longer: {self.kept.error}"
            )

    def _prune(self) -> None:
        """Remove releases that nobody needs."""
        problem = prune(
            self.cluster, self.remote, self.parsing[0][0], self.there, self.result.release
        )
        if problem:
            self.work.progress.say(f"older releases stay for now: {problem}")

    def _switch(self, files: list[str]) -> None:
        switch(
            self.remote, self.hosts, self.result.release, versioned=self.versioned,
            switched={"when": now(), "by": self.who(), "dags": self.result.dags, **self.origin()},
            touched=[f"{DAGS}/{file}" for file in files], back=self.back,
        )  # fmt: skip

    def await_seen(self) -> bool:
        """Wait until Airflow's API shows it, and remove releases that nobody needs."""
        result = self.result
        with ThreadPoolExecutor(1) as pool:
            pruned = pool.submit(self._prune)
            answer = seen(
                self.cluster, self.remote, result.release, list(self.gate.dags),
                self.changed_dags, result.removed_dags, self.kept.since or self.since,
                copies=self.versioned and any(map(rules.is_copied, self.gate.known)),
            )  # fmt: skip
            pruned.result()
        if not answer.seen:
            raise self._not_seen(answer.error or f"it shows {answer.dags} of {result.dags}")
        self.work.end_step(f"{result.dags} DAGs")
        return True

    def _not_seen(self, shown: str) -> ToolkitError:
        inventory = self.cluster.inventory
        what, fix = "", f"toolkit status -i {inventory}"
        if self.result.restart:
            what, fix = (
                ", and its units began with other plugins",
                f"toolkit restart -i {inventory} --rolling",
            )
        return ToolkitError(
            f"release {self.result.release} is the current one, and Airflow does not show its DAGs yet: {shown}{what}",
            where=self.cluster.web.name,
            fix=f"{fix}; back to the release before: toolkit rollback -i {inventory}",
            exit_code=EXIT_FAILED,
        )  # fmt: skip

    def forget(self, hosts: list[Host]) -> None:
        """Remove the release from hosts that have it since this run."""
        remove(self.remote, hosts, [self.result.release])


def carry_out(
    cluster: Cluster,
    verb: str,
    options: Options,
    result: Result,
    made: Callable[[Session], Switching],
) -> Result:
    """Do all stages of a deploy or a rollback, as a run.

    Args:
        made: the stages, of the run.

    Raises:
        ToolkitError: a host or the source is wrong, or another run works on the cluster.
    """
    with session(cluster.inventory.identity, verb, options) as work:
        result.record = str(work.record.directory)
        with made(work) as switching:
            if work.carry_out(switching.stages()) or result.unchanged:
                restarts = switching.restarts()
                if work.carry_out(restarts):
                    result.restarted = bool(restarts) and not options.dry
                    result.restart = result.restart and not result.restarted
                    if work.carry_out(switching.last()):
                        result.exit_code = 0
        work.exit_code = result.exit_code
        result.seconds = round(work.progress.elapsed(), 1)
        result.stages = work.record.stages
    return result
