"""Preflight: pure functions from what is wanted and what is there to findings.

`plan_problems` needs the inventory alone; `judge` needs a probe as well. A rule is one function in
the file of its topic; its figures stand in thresholds.py. To add one, write it and list it here.
"""

from __future__ import annotations

from toolkit.checks import (
    access,
    capacity,
    components,
    drift,
    existing,
    network,
    options,
    peers,
    planning,
    platform,
    ports,
    python,
    secrets,
    services,
    system,
)
from toolkit.checks.common import Rule
from toolkit.cluster import Cluster
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe

PLANNING = (
    planning.release,
    planning.groups,
    planning.metadata_db,
    planning.broker,
    planning.sqlite,
    planning.executor,
    planning.dags_folder,
    planning.remote_logs,
    planning.ports_apart,
    components.known,
    options.options,
    secrets.passwords,
    secrets.fernet_key,
    secrets.plain,
    secrets.file_modes,
)

RULES: tuple[Rule, ...] = (
    access.problems,
    access.incomplete,
    access.root_login,
    access.chatty_shell,
    platform.distribution,
    platform.database_server,
    platform.init_system,
    platform.architecture,
    platform.package_lock,
    platform.unfinished_packages,
    platform.other_airflow,
    system.cloud_init,
    system.reboot,
    system.selinux,
    system.systemd_version,
    system.open_files,
    system.dags_folder,
    system.time_zones,
    system.locale,
    system.entropy,
    capacity.disk,
    capacity.mount_options,
    capacity.memory,
    capacity.swap,
    capacity.burstable,
    capacity.database_connections,
    ports.taken,
    ports.present,
    ports.open_redis,
    python.interpreter,
    python.build_packages,
    network.index,
    network.mirrors,
    network.servers,
    network.firewalls,
    services.refused,
    services.server,
    services.database,
    services.mysql_options,
    services.schema,
    services.broker,
    peers.clocks,
    peers.hostnames,
    peers.machine_ids,
    peers.addresses,
    peers.resolution,
    existing.installations,
    drift.files,
    drift.units,
)


def plan_problems(cluster: Cluster, secret_names: planning.Secrets = ()) -> list[Finding]:
    """What cannot work whatever the hosts are like; connects nowhere.

    Args:
        cluster: the inventory.
        secret_names: variables that the vault sets, which `cluster` does not have; a mapping
            with their values lets these be judged as well.
    """
    return [finding for rule in PLANNING for finding in rule(cluster, secret_names)]


def judge(cluster: Cluster, probe: Probe) -> list[Finding]:
    """What is wrong with the hosts, for this cluster."""
    return [finding for rule in RULES for finding in rule(cluster, probe)]
