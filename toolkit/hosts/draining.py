"""Celery workers that are taken out of work and back, and what they still have to do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from toolkit.cluster import Cluster, Host
from toolkit.hosts.answer import read
from toolkit.hosts.problem import answered
from toolkit.hosts.remote import Payload, Remote
from toolkit.onhost.bundle import program

T = TypeVar("T")
ASK = 5.0
"""Seconds in which a host that is asked for its tasks waits for them to end."""
BACK = 90.0
"""Seconds that a worker which starts may take until it answers."""


@dataclass(frozen=True)
class Running:
    """A task that a worker runs, or has fetched: its DAG, task and run, and since when (epoch) it runs."""

    dag: str = ""
    task: str = ""
    run: str = ""
    since: float | None = None


@dataclass(frozen=True)
class Tasks:
    """What a worker has to do; whether it answers at all; why it could not be asked."""

    answers: bool = False
    tasks: tuple[Running, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Told:
    """Whether a worker answered and does what it was told, or why not; whether its settings are older than its files."""

    answers: bool = False
    error: str = ""
    stale: bool = False


@dataclass(frozen=True)
class Stopped:
    """The unit after it was stopped: systemd's ActiveState, or what systemctl refused."""

    active: str = ""
    error: str = ""


def begin(remote: Remote, hosts: Iterable[Host], by: str, why: str) -> dict[str, Told]:
    """Mark hosts as drained, and have their workers consume nothing more.

    Args:
        by: user@machine.
        why: what for.

    Raises:
        HostProblem: a host cannot be asked.
    """
    return _ask(Told, remote, hosts, {"action": "begin", "by": by, "why": why}, BACK)


def tasks(remote: Remote, hosts: Iterable[Host]) -> dict[str, Tasks]:
    """What their workers still have to do.

    Raises:
        HostProblem: a host cannot be asked.
    """
    return _ask(Tasks, remote, hosts, {"action": "tasks", "seconds": ASK})


def stop(remote: Remote, hosts: Iterable[Host], timeout: float) -> dict[str, Stopped]:
    """Stop their workers, also over reboots.

    Args:
        timeout: seconds that a task which was fetched in the last moment may take.

    Raises:
        HostProblem: a host cannot be asked.
    """
    return _ask(Stopped, remote, hosts, {"action": "stop"}, timeout + 60)


def back(cluster: Cluster, remote: Remote, hosts: Iterable[Host]) -> dict[str, Told]:
    """Have them work again, and wait until they consume their queues.

    Raises:
        HostProblem: a host cannot be asked.
    """

    def payload(host: Host) -> Mapping[str, Any]:
        return {"action": "back", "seconds": BACK, "queues": queues(cluster, host)}

    return _ask(Told, remote, hosts, payload, BACK + 60)


def queues(cluster: Cluster, host: Host) -> list[str]:
    """The queues that a worker's host is to consume."""
    return [*cluster.setting("airflow_worker_queues", host), f"toolkit.{host.name}"]


def _ask(
    kind: type[T], remote: Remote, hosts: Iterable[Host], payload: Payload, timeout: float = 60
) -> dict[str, T]:  # fmt: skip
    answers = answered(remote.fan_out(hosts, program("drain"), payload, timeout=timeout))
    return {name: read(kind, answer) for name, answer in answers.items()}
