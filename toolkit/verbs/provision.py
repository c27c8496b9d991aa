"""From bare hosts to an Airflow that a DAG has run through: read, probe, judge, apply, prove."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toolkit import checks as rules
from toolkit import findings
from toolkit.checks.proof import Proof
from toolkit.cluster import Cluster, lock, settings
from toolkit.cluster import vault as secrets
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED
from toolkit.findings import Finding
from toolkit.hosts import Remote
from toolkit.hosts.probe import collect, record
from toolkit.run import playbook as apply
from toolkit.run import record as runs
from toolkit.run.progress import Display, findings_text
from toolkit.verbs.verify import verify


@dataclass(frozen=True)
class Options:
    """What the command line asks for beyond the inventory."""

    limit: str | None = None
    check: bool = False
    verify: bool = True
    quiet: bool = False
    become_password: str | None = field(default=None, repr=False)
    command: str = "toolkit provision"


@dataclass
class Result:
    """What a provision came to, for people and as JSON."""

    exit_code: int
    cluster: str
    record: str
    seconds: float = 0.0
    stages: dict[str, float] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    failures: list[apply.Event] = field(default_factory=list)
    changes: list[apply.Event] = field(default_factory=list)
    checks: list[Proof] = field(default_factory=list)
    url: str = ""

    def as_json(self) -> str:
        """All of it as JSON text; secrets were masked where events arose."""
        return json.dumps({"ok": self.exit_code == 0, **asdict(self)}, indent=2, default=str)


def read(directory: Path, limit: str | None) -> tuple[Cluster, list[Finding]]:
    """The inventory and what is wrong with it; connects nowhere and writes nothing."""
    cluster = Cluster.load(directory).limited(limit)
    # Whether values make sense together is asked only of values that make sense alone.
    return cluster, settings.validate(cluster) or rules.validate_plan(cluster)


def provision(directory: Path, options: Options) -> Result:
    """Run all five stages; every way to fail ends in a Result, not in an exception.

    Raises:
        ToolkitError: the inventory cannot be read at all, or somebody else holds the lock.
    """
    with runs.exclusive(directory, options.command):
        run = runs.Run.start(directory, options.command)
        result = Result(EXIT_FAILED, directory.resolve().name, str(run.directory))
        try:
            _stages(directory, options, run, result)
        except KeyboardInterrupt:
            result.exit_code = EXIT_INTERRUPTED
        except BaseException:
            run.finish("refused")
            raise
        result.seconds = round(time.time() - run.started, 1)
        result.stages = run.stages
        run.finish(_ENDINGS.get(result.exit_code, "failed"))
        return result


_ENDINGS = {0: "succeeded", EXIT_REFUSED: "refused", EXIT_INTERRUPTED: "interrupted"}


def _stages(directory: Path, options: Options, run: runs.Run, result: Result) -> None:
    with run.stage("read"):
        cluster, result.findings = read(directory, options.limit)
        if not findings.errors(result.findings) and not options.check:
            lock.ensure_lock(cluster)
            secrets.ensure(cluster)
    if findings.errors(result.findings):
        result.exit_code = EXIT_REFUSED
        return
    interrupts = _Interrupts()
    display = Display([host.name for host in cluster.hosts], quiet=options.quiet)
    with Remote(cluster, become_password=options.become_password) as remote:
        with run.stage("probe"), interrupts.heard():
            display.say(f"looking at {len(cluster.hosts)} host(s) of {cluster.name}")
            probe = collect(cluster, remote)
        with run.stage("judge"):
            result.findings += rules.validate_hosts(cluster, probe)
        if findings.errors(result.findings):
            result.exit_code = EXIT_REFUSED
            return
        if result.findings and not options.quiet:
            display.say("before it starts:\n" + findings_text(result.findings))
        with run.stage("apply"), interrupts.heard(at_once=False), display.showing():
            outcome = apply.run_playbook(
                cluster,
                "provision",
                run,
                display.event,
                check=options.check,
                become_password=options.become_password,
                # A check writes nothing here either, so it goes by secrets made for it alone.
                variables=secrets.missing(cluster) if options.check else None,
                cancelled=interrupts.asked,
            )
        result.failures, result.changes = outcome.failures, outcome.changes
        if outcome.interrupted:
            raise KeyboardInterrupt
        if not outcome.ok:
            return
        if not options.check:
            record(cluster, remote)
        result.url = _url(cluster)
        if options.check or not options.verify:
            result.exit_code = 0
            return
        with run.stage("prove"), interrupts.heard():
            display.say("proving: units, health, workers, canary DAG")
            result.checks = verify(cluster, remote, display.say)
        run.write("checks.json", [asdict(check) for check in result.checks])
        result.exit_code = 0 if all(check.ok for check in result.checks) else EXIT_FAILED


class _Interrupts:
    """Ctrl-C, and SIGTERM likewise, so that ansible-playbook ends with us; none is ever lost.

    An exception alone may be: paramiko swallows what is raised while it closes a channel.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        """Whether there was an interrupt."""
        return self._asked

    @contextmanager
    def heard(self, *, at_once: bool = True) -> Iterator[None]:
        """While this lasts an interrupt is a KeyboardInterrupt, at once or at the end."""
        self.check()
        handler = self._raise if at_once else self._note
        previous = [signal.signal(number, handler) for number in self._SIGNALS]
        try:
            yield
        finally:
            for number, earlier in zip(self._SIGNALS, previous, strict=True):
                signal.signal(number, earlier)
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt when there was an interrupt."""
        if self._asked:
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self._asked = True

    def _raise(self, *_: object) -> None:
        self._asked = True
        raise KeyboardInterrupt


def _url(cluster: Cluster) -> str:
    """Where users reach the web UI."""
    chosen = cluster.setting("airflow_base_url")
    web = cluster.group("webserver")[0]
    port: Any = cluster.setting("airflow_web_port", web)
    address = web.variables.get("base_address", web.address)
    return str(chosen or f"http://{address}:{port}")
