"""What each host says of its units, release, secrets and servers, in one round trip."""

from __future__ import annotations

import math
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import all_components, release_lines
from toolkit.cluster.topology import airflow_components, ports, release_line
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
from toolkit.hosts.canary import Task, Workers
from toolkit.hosts.ownership import Claim
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class UnitState:
    """A component's unit: systemd's states, when it started (epoch), and its last lines if it is down."""

    active: str = "unknown"
    sub: str = "systemd does not answer"
    restarts: int = 0
    since: float | None = None
    memory_mb: int = 0
    journal: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A running job in Airflow's database, with the seconds since its last heartbeat."""

    type: str
    hostname: str
    age: float


@dataclass(frozen=True)
class Queued:
    """Tasks that wait in a queue: how many, and how long the oldest of them does, in seconds."""

    queue: str
    tasks: int
    oldest: float


@dataclass(frozen=True)
class Silent:
    """Tasks that run and have given no heartbeat lately: on which host as Airflow calls it, how many, for up to how long."""

    host: str
    tasks: int
    oldest: float


@dataclass(frozen=True)
class FailedCanary:
    """The newest run of the canary DAG, which failed: its tasks, and how many seconds ago it ended."""

    tasks: tuple[Task, ...] = ()
    age: float | None = None


@dataclass(frozen=True)
class DatabaseState:
    """What the metadata database says, or why it does not.

    Attributes:
        schema: its versions.
        jobs: the newest of each component and host.
        queued: a queue each; like what follows, asked by `toolkit health` alone.
        running: how many tasks run.
        silent: those of a host each that give no heartbeat.
        canary: None where its newest run did not fail.
        error: why nothing of it can be read.
    """

    schema: str = ""
    jobs: tuple[Job, ...] = ()
    queued: tuple[Queued, ...] = ()
    running: int = 0
    silent: tuple[Silent, ...] = ()
    canary: FailedCanary | None = None
    error: str = ""


@dataclass(frozen=True)
class Drained:
    """Since when a host is drained (seconds since the epoch), by whom (user@machine) and by which verb."""

    since: float = 0.0
    by: str = ""
    why: str = ""


@dataclass(frozen=True)
class Maintenance:
    """Since when all DAGs are paused (seconds since the epoch), by whom, and which go on afterwards."""

    since: float = 0.0
    by: str = ""
    dags: tuple[str, ...] = ()


@dataclass(frozen=True)
class HostState:
    """One host's answer (toolkit/onhost/state.py), or the problem in its place.

    Attributes:
        host: which.
        components: that it should run, those of another release line where that is the current one.
        problem: why nothing else is known.
        units: component -> its unit.
        drained: since when its worker consumes nothing; None where it works.
        maintenance: of the cluster, on its first scheduler host; None while there is none.
        release: name of the current one below /opt/airflow/releases; None without one.
        dags: id of the current release of DAGs; "" where they are not deployed.
        dags_since: when it became the current one, by the host's clock; None where there is none.
        digests: environment variable -> keyed digest of its value, comparable between hosts.
        secrets: environment variable -> keyed digest of what is secret in it, of a URL its password.
        nonce: the key of the digests.
        database: None where it was not asked for, or the host has no URL of a server.
        broker_error: why the broker does not answer; "" where it does, or was not asked.
        workers: what they consume; None where they were not asked.
        ports: that something listens on.
        silent: those of components that take a connection and answer nothing, where they were asked.
        claim: whose host it is; of that only the cluster's id and members.
        hostname: as the host names itself.
        airflow_name: as Airflow calls it, which can have a domain.
        clock: the host's, in seconds since the epoch, between `sent` and `received` of this machine's.
    """

    host: Host
    components: tuple[str, ...]
    problem: HostProblem | None = None
    units: Mapping[str, UnitState] = field(default_factory=dict)
    drained: Drained | None = None
    maintenance: Maintenance | None = None
    release: str | None = None
    dags: str = ""
    dags_since: float | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    nonce: str = ""
    database: DatabaseState | None = None
    broker_error: str = ""
    workers: Workers | None = None
    ports: tuple[int, ...] = ()
    silent: tuple[int, ...] = ()
    claim: Claim = field(default_factory=Claim)
    hostname: str = ""
    airflow_name: str = ""
    clock: float = 0.0
    sent: float = 0.0
    received: float = 0.0

    @classmethod
    def from_json(
        cls, host: Host, components: tuple[str, ...], data: Mapping[str, Any], nonce: str = ""
    ) -> HostState:
        """The state from what the program answered."""
        return read(cls, data, host=host, components=components, nonce=nonce)

    def unit(self, component: str) -> UnitState:
        """State of a component's unit."""
        return self.units.get(component, UnitState())

    def uptime(self, component: str) -> float:
        """Seconds since a component's unit began; without an end where that is not known."""
        since = self.unit(component).since
        return math.inf if since is None else max(0.0, self.clock - since)

    def wanted(self, component: str) -> bool:
        """Whether a component's unit has to run; the worker of a drained host is down on purpose."""
        return not (self.drained and component == "worker")

    @property
    def clock_offset(self) -> float:
        """Seconds that the host's clock is at least off this machine's."""
        middle, slack = (self.sent + self.received) / 2, (self.received - self.sent) / 2
        return max(0.0, abs(self.clock - middle) - slack)


def states(
    cluster: Cluster, remote: Remote, hosts: Iterable[Host], *, servers: bool = True
) -> list[HostState]:
    """Ask all hosts at once.

    Args:
        servers: also ask database and broker where a host has their URLs, and the components' ports.
    """
    question = Question(cluster, list(hosts), servers=servers)
    return question.states(remote.fan_out(question.hosts, program("state"), question.payload))


class Question:
    """What hosts are asked of their state, and the states that their answers come to.

    Args:
        servers: see `states`.
        workers: also ask the Celery workers, of which there are so many, what they consume.
        database: the question that the database is asked (in_airflow/database.py).
    """

    def __init__(
        self,
        cluster: Cluster,
        hosts: list[Host],
        *,
        servers: bool = True,
        workers: int = 0,
        database: str = "jobs",
    ) -> None:
        self.hosts = hosts
        self._cluster = cluster
        self._servers, self._workers, self._database = servers, workers, database
        self._secrets = list((release_line(cluster) or {"secrets": {}})["secrets"])
        self._nonce = secrets.token_hex(16)
        self._components = {host.name: _by_line(cluster, host) for host in hosts}

    def payload(self, host: Host) -> dict[str, Any]:
        """What toolkit/onhost/state.py gets on a host."""
        # Every scheduler host: it costs no further host, and one of them may be away.
        asks = self._servers and self._has(host, "scheduler")
        return {
            "components": sorted(
                {one for names in self._components[host.name].values() for one in names}
            ),
            "secrets": self._secrets,
            "nonce": self._nonce,
            "database": self._database if asks else "",
            "workers": self._workers if asks else 0,
            "asked": [
                port.number
                for port in ports(self._cluster, host)
                if self._servers and self._has(host, port.component)
            ],
            "jobs": sorted({one.heartbeat for one in all_components() if one.heartbeat}),
        }

    def states(self, answers: Mapping[str, dict[str, Any] | HostProblem]) -> list[HostState]:
        """The state of each host, by what it answered."""
        return [self._state(host, answers[host.name]) for host in self.hosts]

    def _state(self, host: Host, answer: dict[str, Any] | HostProblem) -> HostState:
        mine = self._components[host.name]
        if isinstance(answer, HostProblem):
            return HostState(host, mine[""], problem=answer)
        runs = str(answer.get("release") or "").partition(".")[0]
        return HostState.from_json(host, mine.get(runs, mine[""]), answer, self._nonce)

    def _has(self, host: Host, component: str) -> bool:
        return component in self._components[host.name][""]


def _by_line(cluster: Cluster, host: Host) -> dict[str, tuple[str, ...]]:
    """Release line -> the components of a host in it; those that are wanted under ""."""
    found = {line: airflow_components(cluster, host, line) for line in release_lines()}
    return found | {"": airflow_components(cluster, host)}


def heartbeats(found: Iterable[HostState]) -> dict[tuple[str, str], float]:
    """(component, inventory name) -> age of the heartbeat in seconds, of those that gave one since their unit began."""
    return {
        (component, state.host.name): age
        for state, component, age in _ages(list(found))
        if age <= state.uptime(component)
    }


def silences(found: Iterable[HostState]) -> Iterator[tuple[HostState, str, float]]:
    """State, component and the seconds that a unit which is active, and gave heartbeats once, has given none."""
    for state, component, age in _ages(list(found)):
        if state.unit(component).active == "active":
            yield state, component, min(age, state.uptime(component))


def _ages(found: list[HostState]) -> Iterator[tuple[HostState, str, float]]:
    """State, component and the seconds since the heartbeat of its newest job."""
    jobs = [job for state in found if state.database for job in state.database.jobs]
    components = {one.heartbeat: one.name for one in all_components() if one.heartbeat}
    ages = {(components[job.type], job.hostname): job.age for job in jobs if job.type in components}
    for state in found:
        for component in state.components:
            names = (state.hostname, state.airflow_name)
            known = [ages[component, name] for name in names if (component, name) in ages]
            if known:  # under a name that the host had before, a job may have ended long ago
                yield state, component, min(known)
