"""From bare hosts to an Airflow that a DAG has run through."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit import checks
from toolkit.checks.proof import Proof
from toolkit.cluster import Cluster, Inventory
from toolkit.cluster import vault as secrets
from toolkit.cluster.lock import ensure_lock, lock_file, release_name
from toolkit.cluster.lockfile import LOCK_NAME, pinned
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED, ToolkitError
from toolkit.findings import Finding, Severity, errors, findings_text
from toolkit.hosts.ansible_facts import ansible_facts
from toolkit.hosts.facts import Probe
from toolkit.hosts.members import write_members
from toolkit.hosts.probe import collect
from toolkit.run.counts import Counting
from toolkit.run.narrate import Narrator, grouped
from toolkit.run.playbook import Event, Playbook
from toolkit.run.session import Options, Session, session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.admission import Admission
from toolkit.verbs.validate import validate
from toolkit.verbs.verify import PROVE, verify

READ = Step("read", "reading the inventory", "inventory read")
CHECK = Step("check", "checking the hosts", "hosts checked")
PREPARE = Step("prepare", "installing and configuring", "installed and configured")
PLAYS: Mapping[str, Step] = {
    "Detect": PREPARE,
    "Prepare": PREPARE,
    "Migrate": Step("migrate", "migrating the database", "database migrated"),
    "Start": Step("start", "starting the units", "units started"),
}
"""The plays of playbooks/provision.yml."""
UPGRADE = ("versions.upgrade", "versions.older_schema", "services.older_schema")
"""Findings that do not stop a provision that may upgrade."""


@dataclass
class Result:
    """What a provision came to, for people and as JSON."""

    exit_code: int
    cluster: str
    record: str = ""
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    failures: list[Event] = field(default_factory=list)
    changes: list[Event] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    details: list[str] = field(default_factory=list)
    checks: list[Proof] = field(default_factory=list)
    url: str = ""
    wrote: list[str] = field(default_factory=list)
    """Files of the inventory that a refused run has written."""

    def as_json(self) -> str:
        """All of it as JSON text; secrets were masked where events arose."""
        return json.dumps({"ok": self.exit_code == 0, **asdict(self)}, indent=2, default=str)


def provision(
    inventory: Inventory | Path,
    options: Options,
    *,
    limit: str | None = None,
    prove: bool = True,
    variables: Mapping[str, Any] | None = None,
) -> Result:
    """Do all stages; a finding, a failed task and an interrupt end in a Result, not in an exception.

    Args:
        limit: only these hosts, as in Ansible.
        prove: whether to run the canary DAG at the end.
        variables: of this run alone, such as airflow_allow_upgrade.

    Raises:
        ToolkitError: the inventory cannot be read at all, or another run works on the cluster.
    """
    cluster = Cluster.load(inventory).limited(limit)
    result = Result(EXIT_FAILED, cluster.name)
    own: _OwnFiles | None = None
    try:
        with session(cluster.inventory.identity, "provision", options) as work:
            own = _OwnFiles(cluster)
            result.record = str(work.record.directory)
            with _Provision(cluster, work, result, prove, variables or {}) as provisioning:
                if work.carry_out(provisioning.stages()):
                    result.exit_code = 0
            work.exit_code = result.exit_code
            result.seconds = round(work.progress.elapsed(), 1)
            result.stages = work.record.stages
    except KeyboardInterrupt:
        result.exit_code = EXIT_INTERRUPTED
    except ToolkitError as error:
        if wrote := own.written() if own else []:
            error.what += f" (written here: {', '.join(wrote)})"
        raise
    if own and result.exit_code == EXIT_REFUSED:
        result.wrote = own.written()
    return result


class _OwnFiles:
    """The files of an inventory that a provision may write, as they are before it."""

    def __init__(self, cluster: Cluster) -> None:
        home, sources = cluster.directory, cluster.sources
        self._paths = (
            home / LOCK_NAME, home / "known_hosts", sources.vault.path, sources.passwords.file
        )  # fmt: skip
        self._before = self._contents()

    def _contents(self) -> list[bytes | None]:
        return [_content(path) for path in self._paths]

    def written(self) -> list[str]:
        """Those that are others by now."""
        pairs = zip(self._paths, self._before, self._contents(), strict=True)
        return [str(path) for path, before, now in pairs if now != before]


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:  # not there, or somebody else's
        return None


class _Provision:
    """The stages of one provision, and what they hand on to each other."""

    def __init__(
        self,
        cluster: Cluster,
        work: Session,
        result: Result,
        proves: bool,
        variables: Mapping[str, Any],
    ) -> None:
        self.cluster = cluster
        self.work = work
        self.result = result
        self.proves = proves
        self.variables = variables
        self.probe = Probe({})
        self.open = ExitStack()
        self.admission = self.open.enter_context(Admission(cluster, work))

    def __enter__(self) -> _Provision:
        return self

    def __exit__(self, *_: object) -> None:
        self.open.close()

    def stages(self) -> list[Stage]:
        """From the inventory to the proof."""
        stages = [
            Stage(READ, self.read),
            Stage(CHECK, self.check),
            Stage(PREPARE, self.apply, changes=True, at_once=False),
        ]
        if self.proves:
            dry = "prove that it works: units, health, workers, a run of the canary DAG"
            return [*stages, Stage(PROVE, self.prove, dry=dry)]
        self.work.progress.without(PROVE)
        return stages

    def read(self) -> bool:
        """Validate the inventory, and its lock."""
        self.result.findings = validate(self.cluster)
        if self._refused():
            return False
        if not self.work.options.dry:
            self._make_lock()
        return True

    def _make_lock(self) -> None:
        """A lock that has to be resolved first is made now, as the checks go by it; or refused."""
        path = self.cluster.directory / LOCK_NAME
        if path.exists():
            ensure_lock(self.cluster)
        elif lock_file(self.cluster) is None:
            ensure_lock(self.cluster, self.work.progress.say)

    def check(self) -> bool:
        """Probe the hosts, and compare them with what is wanted.

        Meanwhile take the lease, and have Ansible read the playbook. The lock and the secrets that
        the inventory lacks are stored when nothing stands in the way.
        """
        remote = self.work.connect(self.cluster)
        dry = self.work.options.dry
        fresh = secrets.missing(self.cluster)
        # Ansible reads the inventory's vault when it needs it; its password has to be there by then.
        early = dry or not fresh or bool(self.cluster.sources.passwords.identities)
        if early:
            self._begin_playbook(fresh)
        with ThreadPoolExecutor(1) as pool:
            lease = pool.submit(self._take_lease)
            self.probe = collect(self.cluster, remote)
            lease.result()
        self.admission.find(remote)
        found = checks.validate_hosts(self.cluster, self.probe)
        name = "airflow_allow_upgrade"
        if self.variables.get(name) or self.cluster.setting(name):
            found = [
                replace(one, severity=Severity.NOTE) if one.id in UPGRADE else one for one in found
            ]
        self.result.findings += found
        if self._refused():
            return False
        if not dry:
            ensure_lock(self.cluster)
            secrets.update(self.cluster, fresh)
        if not early:
            self._begin_playbook({})
        if self.result.findings:
            self.work.progress.say("before it starts:\n" + findings_text(self.result.findings))
        return True

    def _begin_playbook(self, fresh: Mapping[str, str]) -> None:
        """Have Ansible read the playbook; with secrets that are not in the vault yet."""
        self.playbook = self.open.enter_context(
            Playbook(
                self.cluster,
                "provision",
                self.work.record,
                check=self.work.options.dry,
                become_password=self.work.options.become_password,
                variables={**self.variables, **fresh},
                cancelled=self.work.interrupts.asked,
            )
        )

    def apply(self) -> bool:
        """Run playbooks/provision.yml."""
        remote = self.work.connect(self.cluster)
        progress = self.work.progress
        hosts = {host.name: host for host in self.cluster.hosts}
        counting = Counting(remote, self._counted(), progress.count)
        narrator = Narrator(
            progress,
            PLAYS,
            self.work.step,
            lambda host, what: counting.under_way(hosts[host], what) if host in hosts else None,
        )
        self.admission.begin(self.variables)
        with counting.going() if progress.live else nullcontext():
            outcome = self.playbook.run(ansible_facts(self.cluster, self.probe), narrator.hear)
        admitted = self.admission.ended()
        outcome.ok = outcome.ok and admitted.ok
        self.result.failures = admitted.failures + outcome.failures
        self.result.changes = outcome.changes = admitted.changes + outcome.changes
        self.result.groups = grouped(self.cluster, outcome.changes)
        self.result.details = [event.detail for event in outcome.changes if event.detail]
        if outcome.interrupted:
            raise KeyboardInterrupt
        if outcome.ok and not self.work.options.dry:
            knowing = self.cluster.all_hosts if self.admission.new else self.cluster.hosts
            write_members(self.cluster, remote, self.probe.left, knowing)
            self._say_what_waits()
        self.result.url = self.cluster.web_address
        return outcome.ok

    def _say_what_waits(self) -> None:
        """The schedulers, which are outside of the limit, go on as they are."""
        new = [host.name for host in self.admission.new if host in self.cluster.group("worker")]
        schedulers = [host.name for host in self.admission.hosts if "scheduler" in host.groups]
        if new and schedulers and not self.cluster.setting("airflow_parallelism"):
            self.work.progress.say(
                f"{', '.join(new)} takes tasks; how many run at once in all is core.parallelism of {', '.join(schedulers)}, "
                f"which grows with a restart of the scheduler: toolkit provision -i {self.cluster.inventory}"
            )

    def prove(self) -> bool:
        """Prove the whole cluster, with a run of the canary DAG."""
        remote = self.work.connect(self.cluster)
        self.result.checks = verify(self.cluster, remote, self.work.progress.now)
        self.work.record.write("checks.json", [asdict(check) for check in self.result.checks])
        ok = all(check.passes for check in self.result.checks)
        if ok:
            held = sum(check.ok for check in self.result.checks)
            self.work.end_step(f"{held} checks hold, the canary DAG ran")
        return ok

    def _take_lease(self) -> None:
        if not self.work.options.dry:
            self.work.take_lease(self.cluster)

    def _refused(self) -> bool:
        if errors(self.result.findings):
            self.result.exit_code = EXIT_REFUSED
            return True
        return False

    def _counted(self) -> dict[str, Any]:
        """What toolkit/onhost/counts.py needs to know."""
        lock = lock_file(self.cluster)
        release = release_name(self.cluster)
        return {
            "release": f"/opt/airflow/releases/{release}" if release else "",
            "python_packages": len(pinned(lock)) if lock else 0,
        }
