"""Distribution, init system, processor, package manager, other installations."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.checks.common import (
    answering,
    error,
    host_rule,
    installed_servers,
    listed,
    warning,
)
from toolkit.checks.thresholds import ARCHITECTURES
from toolkit.cluster import Cluster
from toolkit.cluster.tables import distributions, engines, is_supported, words
from toolkit.cluster.topology import engine, servers
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@host_rule
def distribution(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Only distributions that the roles have data for."""
    supported = [name for one in distributions().values() for name in one.releases.values()]
    for host, facts in answering(cluster, probe):
        if facts.os is None or is_supported(facts.os):
            continue
        known = distributions().get(facts.os.id)
        reason = known.refused.get(facts.os.version) if known else None
        yield error(
            "platform.distribution",
            host=host.name,
            what=f"{facts.os.name or facts.os.id or 'this system'} is not supported"
            + (f": {reason}" if reason else ""),
            fix=f"use a host with {listed(supported)}",
        )


@host_rule
def database_server(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """The engine that is asked for must be there to install, and stay what it was."""
    wanted = engine(cluster, "metadata_db")
    others = [one for one in engines().values() if one.group == wanted.group and one != wanted]
    for host, facts in answering(cluster, probe):
        if wanted.name not in servers(cluster, host):
            continue
        platform = wanted.on(facts.os)
        own_repository = wanted.repository and cluster.setting(wanted.repository, host)
        lacking = platform is None or (facts.os and facts.os.version in platform.lacking)
        if facts.os and is_supported(facts.os) and lacking and not own_repository:
            yield error(
                "platform.no_mysql",
                host=host.name,
                what=f"{facts.os.name or facts.os.id} has no {wanted.title}",
                fix=f"metadata_db_engine: {' or '.join(one.name for one in others)}, or "
                f"metadata_db_url of a {wanted.title} elsewhere"
                + (
                    f", or {wanted.title}'s own repository: {wanted.repository}"
                    if wanted.repository
                    else ""
                ),
            )
        earlier = [one.name for one in others if installed_servers(one, facts)]
        if facts.airflow.ours and earlier and not installed_servers(wanted, facts):
            yield error(
                "platform.engine_changed",
                host=host.name,
                what=f"metadata_db_engine is {wanted.name}, and the cluster's database on this "
                f"host is {listed(earlier)}",
                fix=f"metadata_db_engine: {earlier[0]}; to move for good, provision a new cluster and "
                "carry over what you need: airflow connections export, airflow variables export",
            )


@host_rule
def init_system(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Everything runs as systemd units."""
    for host, facts in answering(cluster, probe):
        if facts.systemd and not facts.systemd.running:
            yield error(
                "platform.systemd",
                host=host.name,
                what=f"the init system is {facts.systemd.init or 'unknown'}, not systemd",
                fix="use a virtual machine, or a container that is booted with systemd",
            )


@host_rule
def architecture(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Packages with compiled parts exist for two processors only."""
    for host, facts in answering(cluster, probe):
        if facts.machine and facts.machine.architecture not in ARCHITECTURES:
            yield error(
                "platform.architecture",
                host=host.name,
                what=f"the processor is {facts.machine.architecture}",
                fix=f"use a host with {' or '.join(ARCHITECTURES)}",
            )


@host_rule
def package_lock(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Often unattended-upgrades, minutes after a machine was created."""
    for host, facts in answering(cluster, probe):
        if facts.packages and facts.packages.lock:
            lock = facts.packages.lock
            yield warning(
                "platform.package_lock",
                host=host.name,
                what=f"{lock} holds the package manager's lock {lock.path}",
                fix="nothing, unless it hangs",
            )


@host_rule
def unfinished_packages(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What an interrupted installation leaves, one of ours included."""
    for host, facts in answering(cluster, probe):
        if facts.packages and facts.packages.unfinished and not facts.packages.lock:
            yield warning(
                "platform.unfinished_packages",
                host=host.name,
                what=f"packages are half installed: {listed(facts.packages.unfinished)}",
                fix="nothing, it is finished first; if that fails: "
                + words(facts.os).sudo("repair"),
            )


@host_rule
def other_airflow(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Somebody else's Airflow, which is left alone."""
    for host, facts in answering(cluster, probe):
        for process in facts.airflow.foreign:
            yield warning(
                "platform.other_airflow",
                host=host.name,
                what=f"another Airflow {process.command} runs here: {process}",
                fix=f"if it is not needed: sudo systemctl disable --now {process.unit}"
                if process.unit.endswith(".service")
                else f"if it is not needed: sudo kill {process.pid}",
            )
