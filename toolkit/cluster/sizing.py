"""How big the parts of a plan are: sizes and where they come from, memory, database connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from toolkit.cluster import planner
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.tables import engines
from toolkit.cluster.topology import (
    airflow_components,
    host_records,
    release_line,
    runs_tasks,
    servers,
)

SYSTEM_MB = 150
"""Kernel and daemons of a small virtual machine."""
CLI_MB = 160
"""One call of Airflow's own command line."""
MEMORY_MARGIN = 1.2
TUNED_MB = 900
"""Enough for one host with at most TUNED_TASKS tasks, one web worker and no triggerer."""
TUNED_TASKS = 2
RESERVED_CONNECTIONS = 10
"""For the superuser, backups, and people."""

SETTINGS: Mapping[str, str] = {
    "web_workers": "airflow_web_workers",
    "parallelism": "airflow_parallelism",
    "worker_concurrency": "airflow_worker_concurrency",
}
"""Size -> the setting that overrides it."""


@dataclass(frozen=True)
class Size:
    """A size of Airflow on one host.

    Attributes:
        setting: the setting that it has.
        value: what it is or will be.
        source: "setting", "host" (derived from memory and CPUs), "workers" (what all of them run at once)
            or "default".
    """

    setting: str
    value: int
    source: str


def sizes(
    cluster: Cluster, host: Host, memory_mb: int, cpus: int, slots: int = 0
) -> dict[str, Size]:
    """Those sizes that matter on a host; derived as the role does it.

    Args:
        slots: how many tasks all workers run at once (worker_slots); 0 where nobody knows.
    """
    line, components = release_line(cluster), airflow_components(cluster, host)
    if line is None or not components:
        return {}
    derived = planner.sizes(memory_mb, cpus, line, components, cluster.executor, slots)
    wanted = {
        "web_workers": any(one.web for one in host_records(cluster, host)),
        "parallelism": "scheduler" in components,
        "worker_concurrency": "worker" in components,
    }
    found = {}
    for name in (name for name, matters in wanted.items() if matters):
        chosen = cluster.setting(SETTINGS[name], host)
        if isinstance(chosen, int) and chosen:
            found[name] = Size(SETTINGS[name], chosen, "setting")
        else:
            local = name != "parallelism" or cluster.executor == "LocalExecutor"
            source = "host" if local else "workers" if slots else "default"
            found[name] = Size(SETTINGS[name], derived[name], source)
    return found


def worker_slots(cluster: Cluster, measures: Mapping[str, tuple[int, int]]) -> int:
    """How many tasks all workers run at once; 0 where one of them is not known.

    Args:
        measures: host -> its memory in MB and its CPUs.
    """
    workers = cluster.group("worker")
    if any(host.name not in measures for host in workers):
        return 0
    found = (sizes(cluster, host, *measures[host.name]) for host in workers)
    return sum(one["worker_concurrency"].value for one in found if "worker_concurrency" in one)


def tasks(cluster: Cluster, chosen: Mapping[str, Size]) -> int:
    """How many tasks run on a host at once, at most."""
    local = "parallelism" in chosen and cluster.executor == "LocalExecutor"
    name = "parallelism" if local else "worker_concurrency"
    return chosen[name].value if name in chosen else 0


def memory(cluster: Cluster, host: Host, memory_mb: int, cpus: int) -> dict[str, int]:
    """What each part needs of a host's memory, in MB; together what `need` says."""
    line, components = release_line(cluster), airflow_components(cluster, host)
    shares = {
        "system": SYSTEM_MB,
        **{name: engines()[name].memory_mb for name in servers(cluster, host)},
    }
    if line is None or not components:
        return shares
    chosen = sizes(cluster, host, memory_mb, cpus)
    running = tasks(cluster, chosen)
    web_workers = chosen["web_workers"].value if "web_workers" in chosen else 0
    if running <= TUNED_TASKS and web_workers <= 1 and "triggerer" not in components:
        return shares | {"Airflow, tuned for 1 GB": TUNED_MB - sum(shares.values())}
    for one in host_records(cluster, host):
        shares[one.name] = one.memory_mb + web_workers * one.worker_memory_mb
    if running:
        shares[f"{running} tasks"] = running * line["task_memory_mb"]
    shares["airflow command"] = CLI_MB
    needed = sum(shares.values())
    return shares | {"margin": int(needed * MEMORY_MARGIN) - needed}


def need(cluster: Cluster, host: Host, memory_mb: int, cpus: int) -> int:
    """Memory in MB that a host's components need with the sizes they will be given.

    Sizes that are not set are derived from the host, as the role does, and so fit any host that
    is not too small altogether.
    """
    return sum(memory(cluster, host, memory_mb, cpus).values())


def connections(cluster: Cluster, host: Host, memory_mb: int, cpus: int) -> dict[str, int]:
    """How many database connections each component of a host opens, at most."""
    chosen = sizes(cluster, host, memory_mb, cpus)
    found = {}
    for one in host_records(cluster, host):
        running = tasks(cluster, chosen) if runs_tasks(cluster, one) else 0
        times = chosen["web_workers"].value if one.web else 1
        found[one.name] = one.connections.itself * times + one.connections.each_task * running
    return {name: count for name, count in found.items() if count}


def server_connections(cluster: Cluster, engine: str) -> int:
    """How many connections our own database server lets in, as its role derives it."""
    chosen = cluster.setting(f"{engine}_max_connections")
    if isinstance(chosen, int) and chosen:
        return chosen
    return planner.server_connections(cluster.groups)
