"""Runs a playbook with ansible-runner and turns its events into progress, a record and causes."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster, ansible_config
from toolkit.cluster import vault as secrets
from toolkit.cluster.inventory import ignore_also
from toolkit.cluster.login import BECOME_PASSWORDS
from toolkit.cluster.pattern import with_absolute_files
from toolkit.cluster.vaultfile import DEFAULT_ID, write_private
from toolkit.content import content_dir
from toolkit.run import connecting
from toolkit.run.guard import guarded
from toolkit.run.record import Run

PIPELINED = "free"
MITOGEN = "mitogen_free"
STRATEGY_VARIABLE = "TOOLKIT_STRATEGY"
"""Set to `free` to do without mitogen, for example when it does not fit a host."""

FACT_CACHE = "known_facts"
"""Our cache plugin (cache_plugins/known_facts.py); ansible-runner's would gather again in each run."""

IDLE_TIMEOUT = 1800
"""Seconds without any event after which a run is ended; building an environment is quiet longest."""

MITOGEN_SUPPORTS = ((2, 16), (2, 20))
"""ansible-core releases, from and below, that mitogen 0.3.54 works with (its changelog)."""


@dataclass(frozen=True)
class Event:
    """One task's result on one host, or the start of a task."""

    kind: str  # start, ok, changed, skipped, failed, unreachable
    host: str
    play: str
    role: str
    task: str
    seconds: float = 0.0
    detail: str = ""
    removed: tuple[str, ...] = ()  # paths
    kept: tuple[str, ...] = ()  # what was taken over, and where its copy is


@dataclass
class Outcome:
    """What a playbook run came to."""

    ok: bool
    failures: list[Event] = field(default_factory=list)
    changes: list[Event] = field(default_factory=list)
    interrupted: bool = False
    log: Path | None = None


def mitogen_strategy_dir() -> Path | None:
    """Where mitogen's strategy plugins are, when it is installed and fits the ansible-core."""
    from ansible.release import __version__ as ansible_core

    release = tuple(int(part) for part in ansible_core.split(".")[:2])
    spec = importlib.util.find_spec("ansible_mitogen")
    if spec is None or spec.origin is None:
        return None
    if not MITOGEN_SUPPORTS[0] <= release < MITOGEN_SUPPORTS[1]:
        return None
    return Path(spec.origin).parent / "plugins" / "strategy"


def environment(cluster: Cluster) -> dict[str, str]:
    """The environment that ansible-playbook runs in; ansible.cfg says the same to plain users."""
    plain = os.environ.get(STRATEGY_VARIABLE) == PIPELINED or connecting.plain_reasons(cluster)
    strategies = None if plain else mitogen_strategy_dir()
    use_mitogen = strategies is not None
    chosen = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        "ANSIBLE_CONFIG": str(ansible_config()),
        "ANSIBLE_ROLES_PATH": str(content_dir() / "roles"),
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_STRATEGY": MITOGEN if use_mitogen else PIPELINED,
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
        "ANSIBLE_FORKS": "25",
        "ANSIBLE_GATHERING": "smart",
        "ANSIBLE_CACHE_PLUGIN": FACT_CACHE,
        "ANSIBLE_CACHE_PLUGINS": str(Path(__file__).parent / "cache_plugins"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_RETRY_FILES_ENABLED": "0",
    }
    if use_mitogen:
        chosen["ANSIBLE_STRATEGY_PLUGINS"] = str(strategies)
    if connecting.has_key_texts(cluster):
        chosen["ANSIBLE_SSH_AGENT"] = "auto"
    passwords = [one.file for one in cluster.sources.passwords.identities]
    # Beside the host lists, they would be read as such; hidden files are not.
    if beside := [one.name for one in passwords if one.parent in cluster.inventory.roots
                  and not one.name.startswith(".")]:  # fmt: skip
        chosen["ANSIBLE_INVENTORY_IGNORE_REGEX"] = ignore_also(beside)
    return chosen


def playbook_command(cluster: Cluster, playbook: str, *, check: bool) -> list[str]:
    """The ansible-playbook command that does the same without the toolkit."""
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        *cluster.inventory.arguments,
    ]
    command += connecting.arguments(cluster)
    for one in cluster.sources.passwords.identities:
        named = one.label != DEFAULT_ID
        command += ["--vault-id", str(one)] if named else ["--vault-password-file", str(one.file)]
    command += ["--limit", with_absolute_files(cluster.limit)] if cluster.limit else []
    command += ["--check"] if check else []
    return [*command, str(content_dir() / "playbooks" / f"{playbook}.yml")]


class Playbook:
    """One of playbooks/, run by ansible-playbook in the background.

    Ansible reads it and the inventory at once, while the toolkit still probes the hosts, and does
    nothing before it gets their facts. Used as a context manager: at the end nothing of it is left.
    """

    def __init__(
        self,
        cluster: Cluster,
        name: str,
        record: Run,
        *,
        check: bool = False,
        become_password: str | None = None,
        variables: Mapping[str, Any] | None = None,
        cancelled: Callable[[], bool] = bool,
        prefix: str = "",
    ) -> None:
        """Begin.

        Args:
            record: the record that events and log go into, masked.
            become_password: for becoming root, kept in a private file while the run lasts.
            variables: extra variables of this run, typed as they are.
            cancelled: asked again and again; when it says so, ansible-playbook is ended.
            prefix: of the names that log and events have in the record, where a run has several playbooks.
        """
        self._cluster = cluster
        self._record = record
        self._cancelled = cancelled
        self._hidden = [*secrets.values(cluster), *connecting.passwords(cluster)]
        self._hidden += [become_password] if become_password else []
        self._hidden += [
            str(value) for name, value in (variables or {}).items() if name in secrets.GENERATED
        ]
        self._on_event: Callable[[Event], object] = bool  # nothing happens before `run`
        self._prefix = prefix
        self._outcome = Outcome(ok=False, log=record.directory / f"{prefix}ansible.log")
        self._events: list[dict[str, Any]] = []
        self._command = playbook_command(cluster, name, check=check)
        self._extra = dict(variables or {}) | {"mitogen_ssh_compression": False}
        if become_password:  # under each name, as a later one in the inventory would count
            self._extra |= dict.fromkeys(BECOME_PASSWORDS, become_password)
        self._private = tempfile.TemporaryDirectory(prefix="toolkit-")
        self._pool = ThreadPoolExecutor(1)
        self._ended = self._pool.submit(self._run)

    def __enter__(self) -> Playbook:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._facts.exists():
            self._give(None)
        self._pool.shutdown()
        self._private.cleanup()

    def run(
        self, facts: Mapping[str, Mapping[str, Any]], on_event: Callable[[Event], None]
    ) -> Outcome:
        """Go on, and wait for the end.

        Args:
            facts: of hosts that Ansible need not gather any of (toolkit/hosts/ansible_facts.py).
            on_event: called for every start and result of a task.
        """
        self._on_event = on_event
        self._give(facts)
        return self._ended.result()

    @property
    def _facts(self) -> Path:
        """What cache_plugins/known_facts.py waits for."""
        return Path(self._private.name) / "facts.json"

    def _give(self, facts: Mapping[str, Mapping[str, Any]] | None) -> None:
        new = self._facts.with_suffix(".new")
        write_private(new, json.dumps(facts))
        new.rename(self._facts)  # it is there as a whole or not at all

    def _run(self) -> Outcome:
        import ansible_runner

        begun = time.monotonic()

        def handle(raw: dict[str, Any]) -> bool:
            event = _event(raw, self._hidden)
            if event is not None:
                if event.kind in {"failed", "unreachable"}:
                    self._outcome.failures.append(event)
                if event.kind == "changed":
                    self._outcome.changes.append(event)
                self._events.append({"at": round(time.monotonic() - begun, 2), **vars(event)})
                self._on_event(event)
            return False  # ansible-runner then keeps no file of its own, which would not be masked

        vars_file = Path(self._private.name) / "variables.json"
        write_private(vars_file, json.dumps(self._extra))
        *options, path = self._command[1:]
        with guarded(vars_file):
            result = ansible_runner.run(
                private_data_dir=self._private.name,
                project_dir=str(content_dir() / "playbooks"),
                playbook=path,
                cmdline=shlex.join([*options, "-e", f"@{vars_file}"]),
                envvars=environment(self._cluster) | {"TOOLKIT_FACTS": str(self._facts)},
                settings={"suppress_env_files": True, "idle_timeout": IDLE_TIMEOUT},
                fact_cache_type=FACT_CACHE,
                quiet=True,
                event_handler=handle,
                cancel_callback=self._cancelled,
            )
        return self._judged(result)

    def _judged(self, result: Any) -> Outcome:
        """The outcome, with log and events recorded."""
        outcome = self._outcome
        outcome.interrupted = result.status == "canceled"
        outcome.ok = result.status == "successful"
        output = Path(result.config.artifact_dir) / "stdout"
        log = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        assert outcome.log is not None
        write_private(outcome.log, secrets.mask(log, self._hidden))
        self._record.write(f"{self._prefix}events.json", self._events)
        if not outcome.ok and not outcome.failures and not outcome.interrupted:
            lines = [line for line in log.splitlines() if line.strip()]
            cause = next((line for line in lines if "ERROR" in line), lines[-1] if lines else "")
            if result.status == "timeout":
                cause = f"nothing happened for {IDLE_TIMEOUT // 60} minutes, so the run was ended"
            cause = secrets.mask(cause, self._hidden)
            outcome.failures.append(Event("failed", "", "", "", "ansible-playbook", detail=cause))
        return outcome


_KINDS = {
    "runner_on_start": "start",
    "runner_on_ok": "ok",
    "runner_on_skipped": "skipped",
    "runner_on_failed": "failed",
    "runner_on_unreachable": "unreachable",
}


def _event(raw: dict[str, Any], hidden: list[str]) -> Event | None:
    kind = _KINDS.get(raw.get("event", ""))
    data = raw.get("event_data") or {}
    if kind is None or (kind == "failed" and data.get("ignore_errors")):
        return None
    result = data.get("res") or {}
    if kind == "ok" and result.get("changed"):
        kind = "changed"
    detail = secrets.mask(cause_of(result), hidden) if kind in {"failed", "unreachable"} else ""
    if kind == "changed" and data.get("task_action", "").endswith("debug"):
        detail = str(result.get("msg", ""))
    return Event(
        kind,
        str(data.get("host", "")),
        str(data.get("play", "")),
        str(data.get("role", "")),
        str(data.get("task", "")),
        round(float(data.get("duration") or 0.0), 2),
        detail,
        tuple(_removed(result)) if kind == "changed" else (),
        tuple(f"{name} in {path}" for name, path in (result.get("copies") or {}).items()),
    )


def _removed(result: Mapping[str, Any]) -> Iterator[str]:
    """The paths that a task removed."""
    for one in (result, *(result.get("results") or ())):
        if one.get("changed") and one.get("state") == "absent" and one.get("path"):
            yield str(one["path"])
        # Of the roles' own module, write_files.
        yield from map(str, one.get("removed") or ())


def cause_of(result: Mapping[str, Any]) -> str:
    """The sentence in a task's result that says most about why it failed."""
    if "censored" in result:
        return "its output is hidden because it could hold a secret"
    for item in result.get("results") or []:
        if item.get("failed"):
            return cause_of(item)
    message = str(result.get("msg") or "").strip()
    for stream in ("stderr", "module_stderr", "stdout", "module_stdout"):
        lines = [line for line in str(result.get(stream) or "").splitlines() if line.strip()]
        if lines:
            return "; ".join(part for part in (message, " / ".join(lines[-6:])) if part)
    return message or "it gave no reason"
