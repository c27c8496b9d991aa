"""Distribution, init system, processor, package manager, other installations."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from toolkit.checks.common import answering, error, host_rule, listed, warning
from toolkit.checks.thresholds import ARCHITECTURES, NO_MYSQL, REFUSED, SUPPORTED
from toolkit.cluster import Cluster
from toolkit.cluster.topology import database, servers
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@host_rule
def distribution(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Only distributions that the roles have data for."""
    for host, facts in answering(cluster, probe):
        key = (facts.os.id, facts.os.version) if facts.os else None
        if facts.os is None or key in SUPPORTED:
            continue
        reason = REFUSED.get((facts.os.id, facts.os.version))
        yield error(
            "platform.distribution",
            host=host.name,
            what=f"{facts.os.name or facts.os.id or 'this system'} is not supported"
            + (f": {reason}" if reason else ""),
            fix=f"use a host with {listed(SUPPORTED.values())}",
        )


@host_rule
def database_server(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """The engine that is asked for must be there to install, and stay what it was."""
    engine = database(cluster)
    for host, facts in answering(cluster, probe):
        if engine not in servers(cluster, host):
            continue
        elsewhere = cluster.setting("mysql_repository_url", host)
        if (
            engine == "mysql"
            and facts.os
            and (facts.os.id, facts.os.version) in NO_MYSQL
            and not elsewhere
        ):
            yield error(
                "platform.no_mysql",
                host=host.name,
                what=f"{facts.os.name or facts.os.id} has no MySQL, only MariaDB",
                fix="metadata_db_engine: postgres, or metadata_db_url of a MySQL elsewhere, "
                "or MySQL's own repository: mysql_repository_url and mysql_repository_key",
            )
        installed = facts.packages.servers if facts.packages else ()
        ours = {name for name in _SERVER_PACKAGES if _has(installed, _SERVER_PACKAGES[name])}
        if facts.airflow.ours and ours and engine not in ours:
            (earlier,) = ours
            yield error(
                "platform.engine_changed",
                host=host.name,
                what=f"metadata_db_engine is {engine}, and the cluster's database on this host is "
                f"{earlier}",
                fix=f"metadata_db_engine: {earlier}; to move for good, provision a new cluster and "
                "carry over what you need: airflow connections export, airflow variables export",
            )


_SERVER_PACKAGES = {"postgres": "postgresql", "mysql": "mysql-"}


def _has(installed: Iterable[str], prefix: str) -> bool:
    return any(name.startswith(prefix) for name in installed)


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
                fix="nothing, it is finished first; if that fails: sudo dpkg --configure -a",
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
