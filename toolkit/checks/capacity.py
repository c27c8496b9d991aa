"""Disk and memory: what the installation needs against what the host has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from toolkit.checks.common import SETTINGS_FILE, answering, error, host_rule, listed, note, warning
from toolkit.checks.thresholds import (
    BURSTABLE,
    COMFORTABLE_MB,
    SWAP_BELOW_MB,
)
from toolkit.cluster import Cluster, Host
from toolkit.cluster.disks import disks
from toolkit.cluster.lock import release_name
from toolkit.cluster.sizing import (
    RESERVED_CONNECTIONS,
    TUNED_TASKS,
    connections,
    need,
    server_connections,
)
from toolkit.cluster.topology import airflow_components, database, servers
from toolkit.findings import Finding
from toolkit.hosts.facts import Facts, PathFacts, Probe


@dataclass(frozen=True)
class _Need:
    """What one path needs now, and the filesystem that it is on."""

    purpose: str
    place: PathFacts
    megabytes: int
    inodes: int


@host_rule
def disk(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Free space and inodes; what lands on one filesystem is added up."""
    release = release_name(cluster)
    for host, facts in answering(cluster, probe):
        filesystems: defaultdict[int, list[_Need]] = defaultdict(list)
        for found in _needs(cluster, host, facts, release):
            filesystems[found.place.device].append(found)
        for needs in filesystems.values():
            yield from _space(host.name, needs)
            yield from _inodes(host.name, needs)


def _needs(cluster: Cluster, host: Host, facts: Facts, release: str = "") -> Iterator[_Need]:
    """What is needed on this host; less where something is installed already."""
    runs = bool(airflow_components(cluster, host))
    places = {place.path: place for place in facts.paths}
    again = facts.airflow.configured
    built = release in facts.airflow.built
    for path, entry in disks(facts.os, servers(cluster, host), airflow=runs):
        if path not in places:
            continue
        if built and path == "/opt/airflow":
            yield _Need(entry.purpose, places[path], 0, 0)
        else:
            megabytes = entry.again_mb if again else entry.first_mb
            inodes = 0 if again else entry.inodes
            yield _Need(entry.purpose, places[path], megabytes, inodes)


def _space(host: str, needs: list[_Need]) -> Iterator[Finding]:
    place, total = needs[0].place, sum(need.megabytes for need in needs)
    if place.free_mb < total:
        parts = listed(
            f"{need.place.path} {need.megabytes} MB ({need.purpose})"
            for need in needs
            if need.megabytes
        )
        yield error(
            "capacity.disk",
            host=host,
            what=f"{place.mount} has {place.free_mb} MB free, and {total} MB are needed: {parts}",
            fix="make room or enlarge the disk; to see what fills it: "
            f"sudo du -xh -d2 {place.mount} | sort -h | tail",
        )


def _inodes(host: str, needs: list[_Need]) -> Iterator[Finding]:
    place, total = needs[0].place, sum(need.inodes for need in needs)
    if place.free_inodes is not None and place.free_inodes < total:
        yield error(
            "capacity.inodes",
            host=host,
            what=f"{place.mount} can take {place.free_inodes} more files, and {total} are needed",
            fix="remove small files there, or make the filesystem again with more inodes",
        )


@host_rule
def mount_options(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Everything must be writable, and programs must be allowed where Airflow is installed."""
    for host, facts in answering(cluster, probe):
        seen = set()
        for found in _needs(cluster, host, facts):
            path = found.place
            option = "ro" if path.read_only else "noexec"
            bad = path.read_only or (path.noexec and path.path == "/opt/airflow")
            if bad and (path.mount, option) not in seen:
                seen.add((path.mount, option))
                yield error(
                    "capacity.read_only" if path.read_only else "capacity.noexec",
                    host=host.name,
                    what=f"{path.path} is on {path.mount}, which is mounted {option}",
                    fix=f"sudo mount -o remount,{'rw' if path.read_only else 'exec'} {path.mount}, "
                    "and change /etc/fstab",
                )


@host_rule
def memory(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Too little memory shows as random kills while every unit is called active."""
    for host, facts in answering(cluster, probe):
        if facts.memory is None or facts.machine is None:
            continue
        total = facts.memory.total_mb
        needed = need(cluster, host, total, facts.machine.cpus)
        if total < needed:
            yield error(
                "capacity.memory",
                host=host.name,
                what=f"the host has {total} MB of memory, and its components need {needed} MB",
                fix=_smaller(cluster, needed),
            )
        elif total < COMFORTABLE_MB and "scheduler" in host.groups:
            yield warning(
                "capacity.little_memory",
                host=host.name,
                what=f"the host has {total} MB of memory",
                fix="nothing for a trial; for production take a host with 4 GB or more",
            )


@host_rule
def swap(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """On a small host a short peak is fatal without it."""
    for host, facts in answering(cluster, probe):
        memory = facts.memory
        if memory and memory.total_mb < SWAP_BELOW_MB and not memory.swap_mb:
            yield note(
                "capacity.no_swap",
                host=host.name,
                what=f"the host has {memory.total_mb} MB of memory and no swap",
                fix="sudo fallocate -l 1G /swapfile && sudo chmod 600 /swapfile && "
                "sudo mkswap /swapfile && sudo swapon /swapfile, and a line in /etc/fstab",
            )


@host_rule
def burstable(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A scheduler is never idle."""
    for host, facts in answering(cluster, probe):
        if facts.system.instance.startswith(BURSTABLE):
            yield note(
                "capacity.burstable",
                host=host.name,
                what=f"the instance is a {facts.system.instance}, which has CPU credits",
                fix="watch CPUCreditBalance; credits without limit: aws ec2 "
                "modify-instance-credit-specification --instance-credit-specification "
                "InstanceId=ID,CpuCredits=unlimited",
            )


def _smaller(cluster: Cluster, needed: int) -> str:
    """How to make do with less, or how much more to take."""
    larger = f"take a host with {-(-needed // 1024)} GB or more"
    if cluster.executor == "CeleryExecutor":
        return f"{larger}, or lower airflow_worker_concurrency and airflow_web_workers for it"
    return (
        f"{larger}, or for a trial on 1 GB set in {SETTINGS_FILE}: airflow_parallelism: "
        f"{TUNED_TASKS}, airflow_web_workers: 1, airflow_triggerer_enabled: false"
    )


@host_rule
def database_connections(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What the components open together, at most, against what the server lets in."""
    needed = RESERVED_CONNECTIONS
    for host, facts in answering(cluster, probe):
        if facts.memory and facts.machine:
            opened = connections(cluster, host, facts.memory.total_mb, facts.machine.cpus)
            needed += sum(opened.values())
    for server, limit, fix in _limits(cluster, probe):
        if limit < needed:
            yield error(
                "capacity.connections",
                host="",
                what=f"{server} lets in {limit} connections, and {needed} may be needed",
                fix=fix,
            )


def _limits(cluster: Cluster, probe: Probe) -> Iterator[tuple[str, int, str]]:
    """The database server, how many connections it lets in, and how to change that."""
    for service in probe.services:
        if service.role == "metadata_db" and service.max_connections:
            how = "SET GLOBAL" if service.server == "MySQL" else "ALTER SYSTEM SET"
            fix = f"raise it there: {how} max_connections = ...; or lower web workers and tasks"
            if service.parameter_group:
                fix = (f"take a larger instance, or raise max_connections in its "
                       f"{service.parameter_group}; or lower web workers and tasks")  # fmt: skip
            yield service.address, service.max_connections, fix
    engine = database(cluster)
    for host in cluster.group("metadata_db"):
        if engine in servers(cluster, host):
            setting = f"{engine}_max_connections"
            limit = server_connections(cluster, engine)
            yield f"{setting} (on {host.name})", limit, f"raise {setting} in {SETTINGS_FILE}"
