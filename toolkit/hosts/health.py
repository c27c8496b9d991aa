"""What a running cluster says of itself, for `toolkit health`: one round trip to all hosts at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from toolkit.beside import beside
from toolkit.cluster import Cluster, Host
from toolkit.cluster.disks import paths
from toolkit.errors import ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
from toolkit.hosts.canary import Slots, Workers
from toolkit.hosts.database import Examined, examine
from toolkit.hosts.facts import Facts, Probe
from toolkit.hosts.mutes import Mute, ask_mutes, mutes_host, mutes_in
from toolkit.hosts.state import HostState, Question
from toolkit.onhost.bundle import program

T = TypeVar("T", Workers, Slots)

_PATIENCE = 4
"""Seconds that workers have who are asked by name."""


@dataclass(frozen=True)
class Certificate:
    """When the web server's certificate ends, in seconds since the epoch; None where nobody knows.

    Attributes:
        file: the one that its file has.
        shown: the one that the server shows to clients: it reads the file when it starts.
    """

    file: float | None = None
    shown: float | None = None


@dataclass(frozen=True)
class Seen:
    """What was seen of a running cluster.

    Attributes:
        states: of the hosts in play.
        probe: facts of them that change while a cluster runs, and what is wrong with the others.
        workers: what the Celery workers consume; None where they were not asked.
        slots: of the workers; None unless tasks wait for long.
        parallelism: of the scheduler hosts together, where it is known of each.
        database: what it holds.
        certificates: host -> the web server's certificate.
        mutes: that there are.
        clock: of the host with the mutes, seconds since the epoch.
    """

    states: tuple[HostState, ...]
    probe: Probe = field(default_factory=lambda: Probe({}))
    workers: Workers | None = None
    slots: Slots | None = None
    parallelism: int | None = None
    database: Examined = field(default_factory=Examined)
    certificates: Mapping[str, Certificate] = field(default_factory=dict)
    mutes: tuple[Mute, ...] = ()
    clock: float = 0.0


def look(cluster: Cluster, remote: Remote, long: float) -> Seen:
    """Ask the hosts in play, all at once; changes nothing on them.

    Args:
        long: seconds that a task may wait in a queue before the workers are asked for free slots.

    """
    workers = cluster.group("worker") if cluster.executor == "CeleryExecutor" else []
    question = Question(cluster, list(cluster.hosts), workers=len(workers), database="health")
    held = beside(_held, cluster, remote)
    elsewhere = beside(_mutes_elsewhere, cluster, remote)
    answers = remote.fan_out(
        question.hosts,
        program("health"),
        lambda host: question.payload(host) | _more(cluster, host),
    )
    states = tuple(question.states(answers))
    asked = _asked(states)
    seen = Seen(
        states,
        _probe(answers),
        _workers(remote, asked, states) if asked else None,
        parallelism=_parallelism(cluster, answers),
        database=held.result(),
        certificates=_certificates(answers),
    )
    seen = replace(seen, slots=_slots(remote, asked, seen, long) if asked else None)
    return _with_mutes(cluster, seen, answers, elsewhere.result())


def _held(cluster: Cluster, remote: Remote) -> Examined:
    """What the database holds; nothing for somebody who has no password of the vault, where its own is."""
    with suppress(ToolkitError):
        return examine(cluster, remote)
    return Examined()


def _more(cluster: Cluster, host: Host) -> dict[str, Any]:
    """What onhost/health.py gets beside the question about the state."""
    web = cluster.web_server() if host in cluster.group("webserver") else {}
    path, port = web.get("certificate"), cluster.setting("airflow_web_port", host)
    return {"paths": list(paths()), "certificate": {"path": path, "port": port} if path else {}}


def _probe(answers: Mapping[str, dict[str, Any] | HostProblem]) -> Probe:
    facts, problems = {}, {}
    for name, answer in answers.items():
        if isinstance(answer, HostProblem):
            problems[name] = answer
        else:
            times = {one: answer[one] for one in ("sent", "received")}
            facts[name] = Facts.from_json(answer["facts"] | times)
    return Probe(facts, problems)


def _certificates(answers: Mapping[str, dict[str, Any] | HostProblem]) -> dict[str, Certificate]:
    return {
        name: read(Certificate, answer["certificate"])
        for name, answer in answers.items()
        if not isinstance(answer, HostProblem) and answer["certificate"]
    }


def _parallelism(
    cluster: Cluster, answers: Mapping[str, dict[str, Any] | HostProblem]
) -> int | None:
    """Tasks that the schedulers run at once, with LocalExecutor; None where one of them does not say."""
    total = 0
    for host in cluster.group("scheduler"):
        answer = answers.get(host.name)
        if not isinstance(answer, dict) or answer["parallelism"] is None:
            return None
        total += answer["parallelism"]
    return total


def _asked(states: Iterable[HostState]) -> HostState | None:
    """The host that asked the workers; one that the broker answers, if there is any."""
    asked = [state for state in states if state.workers is not None]
    return min(asked, key=lambda state: bool(state.broker_error), default=None)


def active_workers(states: Iterable[HostState]) -> dict[str, str]:
    """Inventory name -> hostname of those hosts whose worker runs."""
    return {
        state.host.name: state.hostname
        for state in states
        if not state.problem
        and "worker" in state.components
        and state.unit("worker").active == "active"
    }


def _workers(remote: Remote, asked: HostState, states: Iterable[HostState]) -> Workers:
    """What workers consume; those that run and said nothing in time are asked again, by their names."""
    found = asked.workers or Workers()
    silent = [name for name in active_workers(states).values() if name not in found.queues]
    if not silent or asked.broker_error:
        return found
    again = _ask(Workers, remote, asked.host, "queues", silent)
    return Workers({**found.queues, **again.queues}, again.error)


def _slots(remote: Remote, asked: HostState, seen: Seen, long: float) -> Slots | None:
    """Of the workers that answered, where a task waits for long."""
    queued = asked.database.queued if asked.database else ()
    names = sorted(seen.workers.queues if seen.workers else ())
    if not names or not any(one.oldest > long for one in queued):
        return None
    return _ask(Slots, remote, asked.host, "slots", names)


def _ask(kind: type[T], remote: Remote, host: Host, question: str, names: list[str]) -> T:
    payload = {"question": question, "names": names, "patience": _PATIENCE}
    try:
        return read(kind, remote.run_script(host, program("workers", "named"), payload))
    except HostProblem as problem:
        return read(kind, {"error": problem.what})


def _mutes_elsewhere(cluster: Cluster, remote: Remote) -> tuple[Mute, ...]:
    """The mutes, where the limit leaves out the host that has them."""
    host = mutes_host(cluster)
    if host and host not in cluster.hosts:
        with suppress(HostProblem):
            return ask_mutes(remote, host)
    return ()


def _with_mutes(
    cluster: Cluster,
    seen: Seen,
    answers: Mapping[str, dict[str, Any] | HostProblem],
    elsewhere: tuple[Mute, ...],
) -> Seen:
    host = mutes_host(cluster)
    answer = answers.get(host.name) if host else None
    if isinstance(answer, dict):
        return replace(seen, mutes=mutes_in(answer), clock=answer["clock"])
    clocks = [state.clock for state in seen.states if not state.problem]
    return replace(seen, mutes=elsewhere, clock=max(clocks, default=0.0))
