"""What is wrong with a running cluster, without a DAG that is run for it: pure, from what was seen of its hosts.

What `verify` and `status` find as well comes from their rules; what only a cluster that runs for long
comes to is here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import replace

from toolkit.checks import access, capacity, drift, peers, running
from toolkit.checks.alive import TASKS, interval, not_well
from toolkit.checks.common import error, few, listed, warning
from toolkit.checks.proof import failures
from toolkit.checks.thresholds import (
    CERTIFICATE_DAYS,
    DISK_ERROR,
    DISK_WARNING,
    INODES_ERROR,
    INODES_WARNING,
    MEMORY_ERROR,
    MEMORY_WARNING,
    QUEUED,
    RESTART_LOOP,
    RESTARTED_LATELY,
    RESTARTS,
    SETTLING,
    SWITCHING,
    UNCONSUMED,
)
from toolkit.cluster import Cluster
from toolkit.durations import written
from toolkit.findings import Finding
from toolkit.hosts.canary import Canary
from toolkit.hosts.draining import queues
from toolkit.hosts.facts import Memory, PathFacts
from toolkit.hosts.health import Seen, active_workers
from toolkit.hosts.state import DatabaseState, Drained, HostState, Maintenance, Queued
from toolkit.hosts.typed import as_root, journal
from toolkit.onhost.in_airflow.database import SILENT

_DAY = 86400.0


def unhealthy(cluster: Cluster, seen: Seen) -> list[Finding]:
    """Everything that is wrong, in the order in which it is best corrected."""
    states = list(seen.states)
    reached = [state for state in states if not state.problem]
    found = [state.problem.finding for state in states if state.problem]
    found += [
        *failures([*running.units(reached, reached)]),
        *not_well(cluster, map(_settled, states)),
        *_restarts(seen),
        *_queues(cluster, seen),
    ]
    found += [*_waiting(cluster, seen), *_silent(cluster, seen), *_canary(cluster, seen)]
    found += failures([*running.same([state for state in states if state.components])])
    found += _dag_releases(cluster, seen)
    found += [
        *_held(seen),
        *_unexamined(seen),
        *_disks(seen),
        *capacity.mount_options(cluster, seen.probe),
        *_memory(seen),
    ]
    found += [*peers.clocks(cluster, seen.probe), *_certificates(cluster, seen)]
    found += [*_drained(cluster, seen), *_paused(cluster, seen)]
    found += [*drift.files(cluster, seen.probe), *drift.units(cluster, seen.probe)]
    found += access.incomplete(cluster, seen.probe)
    return found


def _settled(state: HostState) -> HostState:
    """The same, with units that somebody has just started counted as on their way."""
    units = {
        name: replace(unit, active="activating") if _is_new(state, name) else unit
        for name, unit in state.units.items()
    }
    return replace(state, units=units)


def _is_new(state: HostState, component: str) -> bool:
    """Whether somebody has just started its unit, and not systemd after it died."""
    return state.uptime(component) < SETTLING and not state.unit(component).restarts


def seen_whole(cluster: Cluster, seen: Seen) -> bool:
    """Whether nothing is wrong that was not found: all hosts, database and broker answered, all that was asked."""
    blind = (
        state.problem or state.broker_error or (state.database and state.database.error)
        for state in seen.states
    )
    silent = bool(seen.workers and seen.workers.error)
    partly = silent or any(facts.errors for facts in seen.probe.facts.values())
    return len(cluster.hosts) == len(cluster.all_hosts) and not partly and not any(blind)


def _restarts(seen: Seen) -> Iterator[Finding]:
    """Systemd starts a unit again and again, and calls it active in between."""
    for state in seen.states:
        for component in state.components:
            unit = state.unit(component)
            if unit.restarts < RESTARTS or unit.since is None:
                continue
            age = max(0.0, state.clock - unit.since)
            if age < RESTARTED_LATELY:
                severity = error if age < RESTART_LOOP else warning
                yield severity(
                    "health.restarts",
                    host=state.host.name,
                    what=f"systemd has restarted {component} {unit.restarts} times, the last time {written(age)} ago",
                    fix=journal(state.host.access, component),
                )


def _queues(cluster: Cluster, seen: Seen) -> list[Finding]:
    """Workers that run and do not consume; of the others their units say it."""
    if seen.workers is None or any(state.broker_error for state in seen.states):
        return []
    active = active_workers(seen.states)
    states = [
        state for state in seen.states if state.host.name in active and not _is_new(state, "worker")
    ]
    return failures([*running.consumption(cluster, states, seen.workers)])


def _database(seen: Seen) -> DatabaseState:
    """What the first host says that the database answers."""
    found = (one.database for one in seen.states if one.database and _answers(one))
    return next(found, DatabaseState())


def _answers(state: HostState) -> bool:
    return bool(state.database and not state.database.error)


def _waiting(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """Tasks that wait in a queue although a worker could run them, or as no worker ever will."""
    state = next((one for one in seen.states if _answers(one)), None)
    if state is None:
        return
    database = _database(seen)
    for queued in database.queued:
        if seen.workers is None:
            free = (seen.parallelism or 0) - database.running
            if cluster.executor == "LocalExecutor" and queued.oldest > QUEUED and free > 0:
                yield _waits(state, queued, f"{free} more could run")
        elif not seen.workers.error:
            yield from _in_queue(cluster, seen, state, queued)


def _in_queue(cluster: Cluster, seen: Seen, state: HostState, queued: Queued) -> Iterator[Finding]:
    assert seen.workers
    names = {one.hostname: one.host.name for one in seen.states if not one.problem}
    consumers = [name for name, ones in seen.workers.queues.items() if queued.queue in ones]
    free = {
        names.get(one, one): seen.slots.free(one) for one in consumers if seen.slots is not None
    }
    idle = [name for name, slots in free.items() if slots]
    if not consumers and queued.oldest > UNCONSUMED:
        yield from _unconsumed(cluster, seen, queued)
    elif idle and queued.oldest > QUEUED:
        yield _waits(state, queued, f"{few(idle)} could run {sum(free.values())} more")


def _waits(state: HostState, queued: Queued, but: str) -> Finding:
    return error(
        "health.queued",
        host="",
        what=f"{_tasks(queued)} in queue {queued.queue} for up to {written(queued.oldest)}, and {but}",
        fix=journal(state.host.access, "scheduler")
        + "; the message may be lost: Airflow queues a task again after scheduler.task_queued_timeout",
    )


def _unconsumed(cluster: Cluster, seen: Seen, queued: Queued) -> Iterator[Finding]:
    """No worker consumes the queue; where one should, and does not, there is a finding about it already."""
    owners = [one for one in cluster.group("worker") if queued.queue in queues(cluster, one)]
    states = {state.host.name: state for state in seen.states}
    resting = [one.name for one in owners if one.name in states and states[one.name].drained]
    if len(owners) > len(resting):
        return
    what = f"{_tasks(queued)} in queue {queued.queue} for up to {written(queued.oldest)}, and "
    if resting:
        yield warning(
            "health.no_consumer",
            host="",
            what=what + f"it is of {listed(resting)} alone, drained",
            fix=f"toolkit undrain -i {cluster.inventory} {resting[0]}",
        )
    else:
        yield error(
            "health.no_consumer",
            host="",
            what=what + "no worker consumes it",
            fix=f"add {queued.queue} to airflow_worker_queues of a host, then toolkit provision -i "
            f"{cluster.inventory}; or correct queue= of the tasks",
        )


def _silent(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """Tasks whose worker was killed, or cannot report: until Airflow gives them up they count as running."""
    least = max(SILENT, 3 * interval(cluster, TASKS))
    names = {name: one.host for one in seen.states for name in (one.hostname, one.airflow_name)}
    runs = "worker" if cluster.group("worker") else "scheduler"
    for one in _database(seen).silent:
        host = names.get(one.host)
        if one.oldest > least:
            yield warning(
                "health.silent_tasks",
                host=host.name if host else one.host,
                what=f"{one.tasks} {'task' if one.tasks == 1 else 'tasks'} that run here have given no heartbeat for up to "
                f"{written(one.oldest)}",
                fix=f"toolkit logs {runs} -i {cluster.inventory} --since 15m; Airflow tries them again, or has "
                "them fail, after 75 to 82 s",
            )


def _tasks(queued: Queued) -> str:
    return "1 task has waited" if queued.tasks == 1 else f"{queued.tasks} tasks have waited"


def _canary(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """The newest run of the canary failed: it is still there, as only those that succeed are removed."""
    failed = _database(seen).canary
    if failed is None:
        return
    when = f", {written(failed.age)} ago" if failed.age is not None else ""
    for finding in failures([*running.canary_ran(cluster, Canary(tasks=failed.tasks))]):
        yield replace(
            finding,
            what=finding.what + when,
            fix=f"toolkit verify -i {cluster.inventory} runs it again, and shows its log",
        )


def _dag_releases(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """All hosts have one release of DAGs, unless they are just switching to another."""
    since = [
        state.clock - state.dags_since for state in seen.states if state.dags_since is not None
    ]
    if any(age < SWITCHING for age in since):
        return
    releases: dict[str, list[str]] = {}
    for state in seen.states:
        if not state.problem and state.components:
            releases.setdefault(state.dags, []).append(state.host.name)
    if len(releases) > 1:
        places = [f"{one or 'none'} on {few(hosts)}" for one, hosts in sorted(releases.items())]
        yield error(
            "health.dag_releases",
            host="",
            what=f"hosts have different releases of DAGs: {'; '.join(places)}",
            fix=f"deploy again: toolkit deploy -i {cluster.inventory}",
        )


def _held(seen: Seen) -> list[Finding]:
    """What the database holds; of one that does not answer there is a finding already."""
    if any(state.database and state.database.error for state in seen.states):
        return []
    return failures([*running.decrypts(seen.database), *running.imports(seen.database)])


def _disks(seen: Seen) -> Iterator[Finding]:
    """Space and inodes of the filesystems that a cluster writes to, each once."""
    for host, facts in seen.probe.facts.items():
        filesystems = {place.device: place for place in facts.paths}
        for place in filesystems.values():
            what = _full(place)
            if what:
                severity = error if _below(place, DISK_ERROR, INODES_ERROR) else warning
                yield severity(
                    "health.disk",
                    host=host,
                    what=what,
                    fix=f"to see what fills it: sudo du -xh -d2 {place.mount} | sort -h | tail; "
                    "task logs: docs/remote-logs.md, or a shorter time in logrotate",
                )


def _full(place: PathFacts) -> str:
    if not _below(place, DISK_WARNING, INODES_WARNING):
        return ""
    if place.free_mb < _least(place, DISK_WARNING):
        return f"{place.mount} has {place.free_mb} MB free of {place.total_mb} MB"
    return f"{place.mount} can take {place.free_inodes} more files"


def _below(place: PathFacts, limit: tuple[int, float], inodes: int) -> bool:
    few_inodes = place.free_inodes is not None and place.free_inodes < inodes
    return place.free_mb < _least(place, limit) or few_inodes


def _least(place: PathFacts, limit: tuple[int, float]) -> float:
    megabytes, part = limit
    return min(megabytes, part * place.total_mb)


def _memory(seen: Seen) -> Iterator[Finding]:
    """What processes can still get; the kernel kills some when there is none."""
    for host, facts in seen.probe.facts.items():
        part = _available(facts.memory)
        if facts.memory and part < MEMORY_WARNING:
            severity = error if part < MEMORY_ERROR else warning
            yield severity(
                "health.memory",
                host=host,
                what=f"{facts.memory.available_mb} MB of {facts.memory.total_mb} MB memory are available",
                fix="systemd-cgtop -m on the host shows what takes it; lower airflow_worker_concurrency, "
                "or take a larger host",
            )


def _available(memory: Memory | None) -> float:
    return memory.available_mb / memory.total_mb if memory and memory.total_mb else 1.0


def _certificates(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """The web server's certificate is valid for a while yet: the one in the file, and the one that is shown."""
    clocks = {state.host.name: state.clock for state in seen.states}
    for host, one in seen.certificates.items():
        path = cluster.web_server()["certificate"]
        restart = as_root(cluster.host(host).access, "systemctl restart airflow-*")
        places = {path: one.file, "the certificate that the web server shows": one.shown}
        known = [(end, what) for what, end in places.items() if end is not None]
        end, what = min(known, default=(math.inf, ""))
        left = end - clocks[host]
        if left > CERTIFICATE_DAYS * _DAY:
            continue
        day = time.strftime("%Y-%m-%d", time.gmtime(end))
        yield (error if left <= 0 else warning)(
            "health.certificate",
            host=host,
            what=f"{what} ended on {day}"
            if left <= 0
            else f"{what} ends on {day}, in {written(left)}",
            fix=f"{path} is a newer one: {restart}"
            if one.file is not None and one.file > end
            else f"renew {path}, then: {restart}",
        )


def _drained(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """Hosts that somebody took out of service and did not bring back."""
    for state in seen.states:
        if state.drained:
            yield warning(
                "health.drained",
                host=state.host.name,
                what=f"it has been drained for {_for_how_long(state, state.drained)}",
                fix=f"toolkit undrain -i {cluster.inventory} {state.host.name}",
            )


def _unexamined(seen: Seen) -> Iterator[Finding]:
    """The database answers, and nobody could look into it."""
    asked = any(
        "scheduler" in state.components and state.release and state.database
        and not state.database.error
        for state in seen.states
    )  # fmt: skip
    if asked and not seen.database.state:
        yield warning(
            "health.not_examined",
            what="what the database holds was not examined, so import errors and the Fernet key are not known",
            fix="open the vault (its password, or --vault-password-file), then the same command again",
        )


def _paused(cluster: Cluster, seen: Seen) -> Iterator[Finding]:
    """Maintenance that somebody began and did not end."""
    for state in seen.states:
        if state.maintenance:
            yield warning(
                "health.maintenance",
                what=f"all DAGs have been paused for {_for_how_long(state, state.maintenance)}",
                fix=f"toolkit maintenance -i {cluster.inventory} off",
            )


def _for_how_long(state: HostState, mark: Drained | Maintenance) -> str:
    """How old a mark on a host is, and whose."""
    by = f" by {mark.by}" if mark.by else ""
    return written(max(0.0, state.clock - mark.since)) + by
