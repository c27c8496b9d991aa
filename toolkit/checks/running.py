"""What a running cluster has to prove: pure, from the answers of its hosts and its canary."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from toolkit.checks import remote_logs, web
from toolkit.checks.proof import Proof
from toolkit.checks.secrets import difference
from toolkit.cluster import Cluster, Host
from toolkit.cluster.hardening import restrictions
from toolkit.cluster.host_secrets import differing, wanted_secrets
from toolkit.cluster.topology import canary_tasks, ports
from toolkit.findings import Severity
from toolkit.hosts.canary import S3, Canary, Visits, Workers
from toolkit.hosts.database import Examined
from toolkit.hosts.draining import queues
from toolkit.hosts.state import HostState
from toolkit.hosts.typed import journal

CLOCK_TOLERANCE = 5.0
"""Seconds that clocks may differ; JWT tokens of tasks are refused beyond a few."""


@dataclass(frozen=True)
class Evidence:
    """All that was seen: hosts before and after the canary, its result, the workers' queues, what
    S3 refuses (see remote_logs), what the database holds, and the visits to the web UI."""

    before: list[HostState]
    after: list[HostState]
    canary: Canary
    workers: Workers = field(default_factory=Workers)
    refused: Mapping[str, S3] = field(default_factory=dict)
    database: Examined = field(default_factory=Examined)
    visits: Visits | None = None


def prove(cluster: Cluster, seen: Evidence) -> list[Proof]:
    """Everything that has to hold, and whether it does; pure."""
    proofs = [*units(seen.before, seen.after), *_ports(cluster, seen.after)]
    proofs += [*_health(cluster, seen.canary), *consumption(cluster, seen.after, seen.workers)]
    proofs += [*same(seen.after), *_vault(cluster, seen.after), *decrypts(seen.database)]
    proofs += imports(seen.database)
    proofs += [*_clocks(seen.after), *canary_ran(cluster, seen.canary, _drained(seen.after))]
    proofs += _restricted(cluster, seen.canary)
    proofs += web.proofs(cluster, seen.visits) if seen.visits else []
    proofs += remote_logs.proofs(cluster, seen.canary, seen.refused)
    return proofs


def units(before: list[HostState], after: list[HostState]) -> Iterator[Proof]:
    """Every unit runs that has to, and none started again in between."""
    earlier = {state.host.name: state for state in before}
    for state in after:
        if state.problem:
            found = state.problem.finding
            yield Proof(found.id, state.host.name, "", "reached", False, found.what, found.fix)
            continue
        for component in filter(state.wanted, state.components):
            yield _unit(state, earlier[state.host.name], component)


def _unit(state: HostState, earlier: HostState, component: str) -> Proof:
    """A unit that runs, and did not start again while it was watched."""
    unit, was = state.unit(component), earlier.unit(component)
    stable = unit.since is not None and abs(unit.since - (was.since or 0)) < 1
    active = unit.active == "active"
    detail = f"{unit.active} ({unit.sub}), {unit.restarts} restart(s)"
    if active and not stable:
        detail = "it restarted during the check"
    detail += "".join(f"\n    {line}" for line in unit.journal)
    return Proof("running.restarted" if active and not stable else "running.unit",
                 state.host.name, component, "unit", active and stable, detail,
                 journal(state.host.access, component))  # fmt: skip


def _ports(cluster: Cluster, found: list[HostState]) -> Iterator[Proof]:
    for state in found:
        for port in ports(cluster, state.host) if not state.problem else ():
            if port.component in state.components and state.wanted(port.component):
                ok = port.number in state.ports
                yield Proof("running.port", state.host.name, port.component, f"port {port.number}", ok,
                            "listens" if ok else "nothing listens there",
                            f"see {port.setting}: toolkit settings {port.setting}")  # fmt: skip


def _health(cluster: Cluster, canary: Canary) -> Iterator[Proof]:
    web = cluster.web.name
    if "metadatabase" not in canary.health:
        yield Proof("running.health", web, "web", "health", False, str(canary.health_error or canary.error),
                    "toolkit status says which unit is down")  # fmt: skip
        return
    for name, status in canary.health.items():
        yield Proof("running.health", web, name, "health", status == "healthy", status,
                    f"journalctl -u airflow-{name.replace('_', '-')} on that host")  # fmt: skip


def consumption(cluster: Cluster, found: list[HostState], workers: Workers) -> Iterator[Proof]:
    """Every worker that has to consumes the queues of its host."""
    for state in found:
        if "worker" not in state.host.groups or not state.wanted("worker"):
            continue
        ending = state.unit("worker").active == "deactivating"
        silent = "it still ends its tasks" if ending else "it does not answer"
        consumed = workers.queues.get(state.hostname, ())
        missing = [one for one in queues(cluster, state.host) if one not in consumed]
        cause = workers.error
        yield Proof("running.queues", state.host.name, "worker", "queues", not missing,
                    (f"consumes {', '.join(consumed)}" if consumed else silent)
                    + (f"; lacks {', '.join(missing)}" if missing and consumed else "")
                    + (f" ({cause})" if cause and missing else ""),
                    journal(state.host.access, "worker"))  # fmt: skip


def same(found: list[HostState]) -> Iterator[Proof]:
    """Release and secrets have one value on all hosts that have them."""
    reached = [state for state in found if not state.problem]
    if not reached:
        return
    releases = {state.host.name: state.release for state in reached}
    yield Proof("running.same_release", "", "", "same release", len(set(releases.values())) == 1,
                ", ".join(sorted({str(release) for release in releases.values()})),
                "toolkit provision without --limit")  # fmt: skip
    names = sorted({name for state in reached for name in state.digests})
    for name in names:
        values = {state.digests[name] for state in reached if name in state.digests}
        # Addresses in URLs differ between the host that is the server and the others.
        if not name.endswith(("_CONN", "_URL", "_BACKEND")):
            yield Proof("running.same_secret", "", "", f"same {name}", len(values) == 1,
                        "equal" if len(values) == 1 else f"{len(values)} different values",
                        "toolkit provision without --limit")  # fmt: skip


def _vault(cluster: Cluster, found: list[HostState]) -> Iterator[Proof]:
    """The hosts have the vault's secrets."""
    reached = [state for state in found if not state.problem]
    wrong = [
        difference(cluster, state.host.name, setting, is_set)
        for state in reached
        for setting, is_set in differing(
            wanted_secrets(cluster, state.host), state.nonce, state.secrets
        ).items()
    ]
    for one in wrong:
        yield Proof("running.vault_secret", one.host, "", "secrets of the vault", False, one.what, one.fix)  # fmt: skip
    if reached and not wrong:
        yield Proof("running.vault_secret", "", "", "secrets of the vault", True, "equal on all hosts")  # fmt: skip


def decrypts(database: Examined) -> Iterator[Proof]:
    """The Fernet key reads what the database holds."""
    wrong = database.unreadable
    if database.state or wrong:
        what, fix = (wrong.what, wrong.fix) if wrong else ("decrypts what the database holds", "")
        yield Proof("running.fernet_key", "", "", "Fernet key", wrong is None, what, fix)


def imports(database: Examined) -> Iterator[Proof]:
    """The files of DAGs can be imported; Airflow works without them, and they do nothing."""
    if not database.state:
        return
    for one in database.import_errors:
        yield Proof(
            "running.import_error", "", "", "DAGs", False, one.what, one.fix, Severity.WARNING
        )
    if not database.import_errors:
        yield Proof("running.import_error", "", "", "DAGs", True, "no file has an import error")


def _clocks(found: list[HostState]) -> Iterator[Proof]:
    for state in found:
        if not state.problem:
            offset = state.clock_offset
            yield Proof("running.clock", state.host.name, "", "clock", offset <= CLOCK_TOLERANCE,
                        f"{offset:.1f} s off this machine's", "timedatectl set-ntp true")  # fmt: skip


def canary_ran(cluster: Cluster, canary: Canary, drained: Collection[str] = ()) -> Iterator[Proof]:
    """The canary's tasks succeeded on every host that runs tasks.

    Args:
        drained: hosts that it left out.
    """
    states_ = {task.task: task.state for task in canary.tasks}
    log = f"\n    {canary.log}" if canary.log else ""
    fix = "toolkit airflow -- tasks states-for-dag-run, or the web UI's log of toolkit_canary"
    if all(host.name in drained for host, _ in canary_tasks(cluster)):
        yield Proof("running.canary", "", "", "canary DAG", False, "every host that runs tasks is drained",
                    "toolkit undrain", Severity.WARNING)  # fmt: skip
    for host, names in canary_tasks(cluster):
        results = [states_.get(name) for name in names]
        if host.name in drained or set(results) == {"skipped"}:
            continue
        ok = results == ["success", "success"]
        seconds = f" in {canary.seconds} s" if ok and canary.seconds is not None else ""
        cause = canary.error or f"bash {results[0]}, python {results[1]}"
        yield Proof("running.canary", host.name, "", "canary DAG", ok,
                    f"a bash and a Python task succeeded{seconds}" if ok else f"{cause}{log}", fix)  # fmt: skip


def _restricted(cluster: Cluster, canary: Canary) -> Iterator[Proof]:
    """What tasks of the canary could not do on a host, and which restriction of the unit that is."""
    for host, (_, name) in canary_tasks(cluster):
        if name not in canary.refused:
            continue
        wrong = {
            attempt: said
            for attempt, said in canary.refused[name].items()
            if not _is_chosen(cluster, host, attempt)
        }
        yield Proof("running.restricted", host.name, "", "what tasks may do", not wrong,
                    "; ".join(_refusal(*one) for one in wrong.items())
                    or "write, spawn, execute memory, list interfaces, make virtual environments",
                    "airflow_writable_paths, airflow_hardening or airflow_unit_options: docs/hardening.md",
                    Severity.WARNING)  # fmt: skip


def _drained(found: list[HostState]) -> set[str]:
    """Hosts whose workers are out of work, and have nothing to prove."""
    return {state.host.name for state in found if state.drained}


def _refusal(attempt: str, said: str) -> str:
    options = [one.option for one in restrictions() if one.attempt == attempt]
    return f"{attempt} is refused ({said})" + (f", which {options[0]} does" if options else "")


def _is_chosen(cluster: Cluster, host: Host, attempt: str) -> bool:
    """Whether the inventory itself sets the option that refuses this."""
    chosen = cluster.setting("airflow_unit_options", host)
    options = {one.option for one in restrictions() if one.attempt == attempt}
    return isinstance(chosen, dict) and bool(options & set(chosen))
