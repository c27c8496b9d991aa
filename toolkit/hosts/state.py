"""What each host says of its units, release and secrets, in one round trip."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import all_components
from toolkit.cluster.topology import airflow_components, release_line
from toolkit.hosts import HostProblem, Remote
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class HostState:
    """One host's answer, or the problem in its place."""

    host: Host
    components: tuple[str, ...]
    problem: HostProblem | None = None
    data: Mapping[str, Any] = field(default_factory=dict)

    def unit(self, component: str) -> Mapping[str, Any]:
        """State of a component's unit; see host_state.py."""
        unit: Mapping[str, Any] = self.data.get("units", {}).get(component, {})
        return unit


def states(
    cluster: Cluster, remote: Remote, hosts: Iterable[Host], *, database: bool = True
) -> list[HostState]:
    """Ask all hosts at once.

    Args:
        database: also read schema version and heartbeats where a host has the database's URL.
    """
    hosts = list(hosts)
    line = release_line(cluster) or {"secrets": {}}
    nonce = secrets.token_hex(16)
    components = {host.name: airflow_components(cluster, host) for host in hosts}
    # One host is enough to ask the database, and it is asked where it costs no further host.
    asks = next((host.name for host in hosts if "scheduler" in components[host.name]), None)

    def payload(host: Host) -> dict[str, Any]:
        return {
            "components": list(components[host.name]),
            "secrets": list(line["secrets"]),
            "nonce": nonce,
            "database": database and host.name == asks,
        }

    answers = remote.fan_out(hosts, program("state"), payload)
    found = []
    for host in hosts:
        answer = answers[host.name]
        if isinstance(answer, HostProblem):
            found.append(HostState(host, components[host.name], problem=answer))
        else:
            found.append(HostState(host, components[host.name], data=answer))
    return found


def heartbeats(found: Iterable[HostState]) -> dict[tuple[str, str], float]:
    """(component, hostname) -> age of the heartbeat in seconds."""
    ages = {}
    for state in found:
        for job_type, hostname, age in (state.data.get("database") or {}).get("jobs", ()):
            for component in all_components():
                if component.heartbeat == job_type:
                    ages[component.name, hostname] = age
    return ages
