"""What a provision would build: hosts, sizes, memory, connections, packages, time. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster, Host, sizing
from toolkit.cluster.lock import lock_file
from toolkit.cluster.lockfile import pinned
from toolkit.cluster.releases import package_bytes
from toolkit.cluster.tables import openings, server_groups
from toolkit.cluster.topology import (
    Link,
    airflow_components,
    database,
    engine,
    links,
    ports,
    servers,
)
from toolkit.hosts.probe import Facts, Probe
from toolkit.run.record import recorded
from toolkit.verbs.provision import PREPARE

CACHE_MB = 55
"""Disk that uv's cache takes besides the environment, which shares most files with it (measured)."""
BAR = 60
"""Characters of a memory bar."""


@dataclass(frozen=True)
class HostPlan:
    """What one host gets.

    Attributes:
        name: inventory name.
        address: where the other hosts reach it.
        components: Airflow's components, and the servers, each with its ports.
        exposed: ports of Airflow's that the network reaches and no other host needs; Airflow has no option
            that would close them.
        memory_mb: what it has; None when it was not reached, as everything below then is empty.
        memory: what each part needs, in MB.
        sizes: sizes of Airflow and where each comes from.
        connections: to the database, for each component, at most.
        installed: the release that it has already, or "".
        problem: why it was not reached.
    """

    name: str
    address: str
    components: Mapping[str, tuple[int, ...]]
    exposed: tuple[int, ...] = ()
    memory_mb: int | None = None
    memory: Mapping[str, int] | None = None
    sizes: tuple[sizing.Size, ...] = ()
    connections: Mapping[str, int] | None = None
    installed: str = ""
    problem: str = ""


@dataclass(frozen=True)
class Plan:
    """All of it.

    Attributes:
        external: group -> address of a server that is run elsewhere.
        links: connections between hosts.
        connections: what all hosts open to the database together, at most, and a reserve.
        connections_limit: what the server lets in; None when nobody knows.
        packages: Python packages in the lock.
        packages_mb: what a host downloads of them, as far as their sizes are known.
        packages_of_unknown_size: how many are not counted in packages_mb.
        seconds: how long earlier provisions took, the newest first: of this cluster, else of all.
        seconds_of: "this cluster" or "other clusters"; "" without any.
    """

    cluster: str
    airflow_version: str
    executor: str
    servers: Mapping[str, str]
    hosts: tuple[HostPlan, ...]
    links: tuple[Link, ...]
    connections: int
    connections_limit: int | None
    packages: int
    packages_mb: int
    packages_of_unknown_size: int
    seconds: tuple[float, ...]
    seconds_of: str

    def as_json(self) -> dict[str, Any]:
        """The plan as plain JSON data."""
        return asdict(self)


def make(cluster: Cluster, probe: Probe, external: Mapping[str, str]) -> Plan:
    """The plan of a cluster whose hosts were probed.

    Args:
        cluster: the inventory.
        probe: facts of its hosts; those without are planned without sizes.
        external: group -> address of a server that is run elsewhere, without user and password.
    """
    measures = {
        name: (facts.memory.total_mb, facts.machine.cpus)
        for name, facts in probe.facts.items()
        if facts.memory and facts.machine
    }
    slots = sizing.worker_slots(cluster, measures)
    connected = links(cluster)
    needed = {(link.target, link.setting) for link in connected}
    hosts = tuple(_host(cluster, host, probe, needed, slots) for host in cluster.all_hosts)
    packages, known_bytes, unknown = _packages(cluster)
    seconds, seconds_of = _seconds(cluster.inventory.identity)
    return Plan(
        cluster=cluster.name,
        airflow_version=cluster.version,
        executor=cluster.executor,
        servers=_servers(cluster, external),
        hosts=hosts,
        links=connected,
        connections=sizing.RESERVED_CONNECTIONS
        + sum(sum((h.connections or {}).values()) for h in hosts),
        connections_limit=_limit(cluster, probe),
        packages=packages,
        packages_mb=round(known_bytes / 2**20),
        packages_of_unknown_size=unknown,
        seconds=seconds,
        seconds_of=seconds_of,
    )


def _host(
    cluster: Cluster, host: Host, probe: Probe, needed: set[tuple[str, str]], slots: int
) -> HostPlan:
    components: dict[str, tuple[int, ...]] = dict.fromkeys(
        (*servers(cluster, host), *airflow_components(cluster, host)), ()
    )
    for port in ports(cluster, host):
        components[port.component] += (port.number,)
    exposed = _exposed(cluster, host, needed)
    facts = probe.facts.get(host.name)
    if facts is None or facts.memory is None or facts.machine is None:
        problem = probe.problems.get(host.name)
        reason = problem.what if problem else "it was not asked"
        return HostPlan(host.name, host.base_address, components, exposed, problem=reason)
    measured = _measured(cluster, host, facts, slots)
    return HostPlan(host.name, host.base_address, components, exposed, **measured)


def _exposed(cluster: Cluster, host: Host, needed: set[tuple[str, str]]) -> tuple[int, ...]:
    for_members = {one.setting for one in openings().values() if one.open_to == "members"}
    return tuple(
        one.number
        for one in ports(cluster, host)
        if one.setting in for_members and (host.name, one.setting) not in needed
    )


def _measured(cluster: Cluster, host: Host, facts: Facts, slots: int) -> dict[str, Any]:
    assert facts.memory
    assert facts.machine
    measures = facts.memory.total_mb, facts.machine.cpus
    return {
        "memory_mb": facts.memory.total_mb,
        "memory": sizing.memory(cluster, host, *measures),
        "sizes": tuple(sizing.sizes(cluster, host, *measures, slots).values()),
        "connections": sizing.connections(cluster, host, *measures),
        "installed": facts.airflow.current,
    }


def _servers(cluster: Cluster, external: Mapping[str, str]) -> dict[str, str]:
    """Group -> which server, and where."""
    found = {}
    for group in server_groups():
        if group in external:
            found[group] = f"{external[group]} (run elsewhere)"
        elif cluster.group(group) and (group != "broker" or cluster.executor == "CeleryExecutor"):
            found[group] = f"{engine(cluster, group).name} on {cluster.group(group)[0].name}"
    return found


def _limit(cluster: Cluster, probe: Probe) -> int | None:
    external = [s.max_connections for s in probe.services if s.role == "metadata_db"]
    if external:
        return external[0] or None
    hosts = cluster.group("metadata_db")
    return sizing.server_connections(cluster, database(cluster)) if hosts else None


def _packages(cluster: Cluster) -> tuple[int, int, int]:
    """How many Python packages, their bytes as far as these are known, and how many are not."""
    lock = lock_file(cluster)
    if lock is None:
        return 0, 0, 0
    names, sizes = pinned(lock), package_bytes()
    return (
        len(names),
        sum(sizes.get(name, 0) for name in names),
        len([n for n in names if n not in sizes]),
    )


def _seconds(directory: Path) -> tuple[tuple[float, ...], str]:
    """How long provisions took that succeeded, the newest first."""
    for source, whose in ((directory, "this cluster"), (None, "other clusters")):
        took = [
            float(run["seconds"])
            for run in recorded(source)
            if run["result"] == "succeeded" and PREPARE.name in run["stages"]
        ]
        if took:
            return tuple(took[:5]), whose
    return (), ""


def text(plan: Plan) -> str:
    """The plan for people."""
    lines = [f"Airflow {plan.airflow_version}, {plan.executor}, {len(plan.hosts)} host(s)"]
    lines += [f"  {group}: {server}" for group, server in plan.servers.items()]
    for host in plan.hosts:
        lines += ["", *_host_lines(host)]
    limit = plan.connections_limit
    lines += [
        "",
        f"database connections: {plan.connections} at most, {limit or 'unknown'} let in",
        f"packages: {plan.packages} in the lock, {plan.packages_mb} MB to download for each host"
        + (
            f", and {plan.packages_of_unknown_size} of unknown size"
            if plan.packages_of_unknown_size
            else ""
        ),
        f"disk: {CACHE_MB} MB on each host for uv's cache (/opt/airflow/cache, for root alone; it may be removed), "
        "besides the environments, which share its files",
        f"time: {plan.seconds[0]:.0f} s the last time, {max(plan.seconds):.0f} s at most "
        f"({plan.seconds_of})"
        if plan.seconds
        else "time: no earlier run to go by",
    ]
    return "\n".join(lines)


def _host_lines(host: HostPlan) -> list[str]:
    lines = [f"{host.name}  {host.address}"]
    runs = [f"{name} ({', '.join(map(str, numbers))})" if numbers else name
            for name, numbers in host.components.items()]  # fmt: skip
    lines.append(f"  runs    {', '.join(runs) or 'nothing'}")
    if host.exposed:
        lines.append(f"  exposes {', '.join(map(str, host.exposed))}: logs, to signed requests alone; no other host "
                     "needs them and Airflow cannot close them, a firewall can")  # fmt: skip
    if host.memory is None or host.memory_mb is None:
        return [*lines, f"  not reached: {host.problem}"]
    needed = sum(host.memory.values())
    lines.append(f"  memory  [{bar(host.memory, host.memory_mb)}] {needed} of {host.memory_mb} MB")
    letters = zip(_LETTERS, host.memory.items(), strict=False)
    lines.append("          " + ", ".join(f"{c} {name} {mb}" for c, (name, mb) in letters))
    if host.sizes:
        shown = [f"{size.setting} {size.value} (from {size.source})" for size in host.sizes]
        lines.append(f"  sizes   {', '.join(shown)}")
    if host.connections:
        opened = [f"{name} {count}" for name, count in host.connections.items()]
        lines.append(f"  opens   database connections: {', '.join(opened)}")
    if host.installed:
        lines.append(f"  has     release {host.installed}")
    return lines


_LETTERS = "abcdefghijklmnop"


def bar(memory: Mapping[str, int], total_mb: int, width: int = BAR) -> str:
    """A line of letters, one kind for each part; free memory is dots, what is too much follows |."""
    scale = width / max(total_mb, sum(memory.values()))
    drawn, used = "", 0
    for letter, megabytes in zip(_LETTERS, memory.values(), strict=False):
        used += megabytes
        drawn += letter * (round(used * scale) - len(drawn))
    if used > total_mb:
        end = round(total_mb * scale)
        return drawn[:end] + "|" + drawn[end:]
    return drawn + "." * (width - len(drawn))
