"""What each host says of its units, release, secrets and servers, in one round trip."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import all_components, release_lines
from toolkit.cluster.topology import airflow_components, ports, release_line
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
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
class DatabaseState:
    """Versions of the database's schema and its running jobs, or why they cannot be read."""

    schema: str = ""
    jobs: tuple[Job, ...] = ()
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
        digests: environment variable -> keyed digest of its value, comparable between hosts.
        secrets: environment variable -> keyed digest of what is secret in it, of a URL its password.
        nonce: the key of the digests.
        database: None where it was not asked for, or the host has no URL of a server.
        broker_error: why the broker does not answer; "" where it does, or was not asked.
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
    digests: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    nonce: str = ""
    database: DatabaseState | None = None
    broker_error: str = ""
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

    @property
    def at_work(self) -> tuple[str, ...]:
        """Its components that have to run: without the worker where the host is drained."""
        return tuple(one for one in self.components if not self.drained or one != "worker")

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
    hosts = list(hosts)
    line = release_line(cluster) or {"secrets": {}}
    nonce = secrets.token_hex(16)
    components = {host.name: _by_line(cluster, host) for host in hosts}
    # One host is enough to ask the database, and it is asked where it costs no further host.
    asks = next((host.name for host in hosts if "scheduler" in components[host.name][""]), None)

    def payload(host: Host) -> dict[str, Any]:
        return {
            "components": sorted(
                {one for names in components[host.name].values() for one in names}
            ),
            "secrets": list(line["secrets"]),
            "nonce": nonce,
            "database": servers and host.name == asks,
            "asked": [
                port.number
                for port in ports(cluster, host)
                if servers and port.component in components[host.name][""]
            ],
            "jobs": sorted({one.heartbeat for one in all_components() if one.heartbeat}),
        }

    answers = remote.fan_out(hosts, program("state"), payload)
    found = []
    for host in hosts:
        answer, mine = answers[host.name], components[host.name]
        if isinstance(answer, HostProblem):
            found.append(HostState(host, mine[""], problem=answer))
            continue
        runs = str(answer.get("release") or "").partition(".")[0]
        found.append(HostState.from_json(host, mine.get(runs, mine[""]), answer, nonce))
    return found


def _by_line(cluster: Cluster, host: Host) -> dict[str, tuple[str, ...]]:
    """Release line -> the components of a host in it; those that are wanted under ""."""
    found = {line: airflow_components(cluster, host, line) for line in release_lines()}
    return found | {"": airflow_components(cluster, host)}


def heartbeats(found: Iterable[HostState]) -> dict[tuple[str, str], float]:
    """(component, inventory name) -> age of the heartbeat in seconds."""
    found = list(found)
    jobs = [job for state in found if state.database for job in state.database.jobs]
    components = {one.heartbeat: one.name for one in all_components() if one.heartbeat}
    ages = {(components[job.type], job.hostname): job.age for job in jobs if job.type in components}
    return {
        (component, state.host.name): ages[component, name]
        for state in found
        for component in state.components
        for name in (state.hostname, state.airflow_name)
        if (component, name) in ages
    }
