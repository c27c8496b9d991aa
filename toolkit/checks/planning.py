"""Combinations that cannot work whatever the hosts are like; nothing is connected to for these."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from toolkit.checks.common import SETTINGS_FILE, error, is_set, listed, plan_rule, set_options
from toolkit.cluster import Cluster, tables
from toolkit.cluster.lock import lock_file
from toolkit.cluster.lockfile import pinned
from toolkit.cluster.tables import release_lines, server_groups
from toolkit.cluster.topology import airflow_components, engine, ports, release_line
from toolkit.errors import Location
from toolkit.findings import Finding


@plan_rule
def release(cluster: Cluster) -> Iterator[Finding]:
    """A release line that there is data for."""
    if release_line(cluster) is None:
        lines = listed(f"{line}.x" for line in release_lines())
        yield error(
            "planning.release",
            host="",
            what=f"Airflow {cluster.version} is not supported, {lines} are",
            fix=f"set airflow_version in {SETTINGS_FILE}, for example 3.3.2",
        )


@plan_rule
def groups(cluster: Cluster) -> Iterator[Finding]:
    """Every group that is needed or named has hosts."""
    external = {name for name, group in server_groups().items() if is_set(cluster, group.url)}
    for group in tables.groups():
        named = group in cluster.group_names
        if cluster.group(group) or group in external:
            continue
        if named or group in ("scheduler", "webserver"):
            yield error(
                "planning.empty_group",
                host="",
                what=f"{_hosts_file(cluster)}: group {group} has no hosts"
                if named
                else f"{_hosts_file(cluster)}: there is no group {group}",
                why=_GROUPS.get(group, "its components would run nowhere"),
                fix=f"name a host below {group}:"
                + ("" if group in ("scheduler", "webserver") else ", or remove the group"),
            )


_GROUPS: Mapping[str, str] = {
    "metadata_db": "Airflow keeps everything in its metadata database",
    "broker": "the broker carries tasks to the workers",
    "scheduler": "without a scheduler no DAG ever runs",
    "webserver": "without one there is no UI and no API, and tasks of Airflow 3 cannot start",
    "worker": "with the group named, Celery is expected, and there is nobody to run a task",
}


@plan_rule
def metadata_db(cluster: Cluster) -> Iterator[Finding]:
    """One database: a host of ours, or somebody's URL."""
    hosts, external = cluster.group("metadata_db"), is_set(cluster, "metadata_db_url")
    if not hosts and not external and "metadata_db" not in cluster.group_names:
        yield error(
            "planning.no_metadata_db",
            host="",
            what=f"{_hosts_file(cluster)}: there is neither a group metadata_db nor a "
            "metadata_db_url",
            why=_GROUPS["metadata_db"],
            fix="name a host below metadata_db:, or set metadata_db_url in "
            "group_vars/all/vault.yml",
        )
    yield from _one_server(cluster, "metadata_db")


@plan_rule
def broker(cluster: Cluster) -> Iterator[Finding]:
    """Celery needs a broker: a host of ours, or somebody's URL."""
    hosts, external = cluster.group("broker"), is_set(cluster, "broker_url")
    named = "broker" in cluster.group_names
    if cluster.executor == "CeleryExecutor" and not (hosts or external or named):
        workers = listed(host.name for host in cluster.group("worker"))
        yield error(
            "planning.no_broker",
            host="",
            what=f"{_hosts_file(cluster)}: there are workers ({workers}), so the executor is "
            "Celery, but neither a group broker nor a broker_url",
            why=_GROUPS["broker"],
            fix="name a host below broker:, or set broker_url in group_vars/all/vault.yml",
        )
    yield from _one_server(cluster, "broker")
    for url in _values(cluster, "broker_url"):
        parts = urlsplit(url)
        if parts.scheme not in engine(cluster, "broker").schemes or parts.path not in ("", "/"):
            yield error(
                "planning.broker_url",
                host="",
                what="broker_url has to be redis://... or rediss://... without a database number "
                f"at its end; this one is {parts.scheme}://...{parts.path}",
                fix="broker_url: redis://:PASSWORD@HOST:6379",
            )


def _one_server(cluster: Cluster, group: str) -> Iterator[Finding]:
    hosts = [host.name for host in cluster.group(group)]
    url = server_groups()[group].url
    if hosts and is_set(cluster, url):
        yield error(
            "planning.two_servers",
            host="",
            what=f"{url} is set, and group {group} has hosts ({listed(hosts)})",
            why="only one of the two can be meant",
            fix=f"remove {url}, or the group",
        )
    elif len(hosts) > 1:
        yield error(
            "planning.two_servers",
            host="",
            what=f"{_hosts_file(cluster)}: group {group} has {len(hosts)} hosts ({listed(hosts)})",
            fix=f"leave one host in {group}, or name a server that is run elsewhere in {url}",
        )


@plan_rule
def address_family(cluster: Cluster) -> Iterator[Finding]:
    """Airflow's web server listens on addresses of one kind, IPv4 unless it is told otherwise."""
    for host in cluster.all_hosts if len(cluster.all_hosts) > 1 else ():
        if ":" in host.base_address:
            yield error(
                "planning.address_family",
                host=host.name,
                what=f"the other hosts are to reach it at {host.base_address}, an IPv6 address",
                fix=f"base_address: IPV4-ADDRESS of {host.name} in {_hosts_file(cluster)}, or a name that has "
                "one; SSH may go on using IPv6 (ansible_host)",
            )


@plan_rule
def sqlite(cluster: Cluster) -> Iterator[Finding]:
    """SQLite is for Airflow's own tests."""
    found = [
        (name, url)
        for name in ("metadata_db_url", "airflow_database_url")
        for url in _values(cluster, name)
    ]
    options = set_options(cluster, "database", "sql_alchemy_conn")
    found += [(option.name, option.value) for option in options]
    for name, url in found:
        if url.startswith("sqlite"):
            yield error(
                "planning.sqlite",
                host="",
                what=f"{name} names an SQLite database, and the executor is {cluster.executor}",
                fix="remove it and name a host below metadata_db:, or give the URL of a PostgreSQL",
            )


@plan_rule
def executor(cluster: Cluster) -> Iterator[Finding]:
    """Groups decide about the executor; an option that says otherwise breaks the plan."""
    for option in set_options(cluster, "core", "executor"):
        if option.value.rpartition(".")[2] != cluster.executor:
            workers = bool(cluster.group("worker"))
            yield error(
                "planning.executor",
                host="",
                what=f"{option.name} is {option.shown}, but the inventory "
                + ("has workers" if workers else "has no worker")
                + f", which means {cluster.executor}",
                fix="remove the option"
                + (", or the group worker" if workers else ", or name hosts below worker:"),
            )


@plan_rule
def dags_folder(cluster: Cluster) -> Iterator[Finding]:
    """Airflow's own option would hide the canary, and DAGs that are deployed later."""
    for option in set_options(cluster, "core", "dags_folder"):
        yield error(
            "planning.dags_folder",
            host="",
            what=f"{option.name} is {option.shown}, which has a setting of its own",
            fix=f"remove the option, and set in {SETTINGS_FILE}: airflow_dags_folder: "
            f"{option.shown}",
        )


@plan_rule
def auth_manager(cluster: Cluster) -> Iterator[Finding]:
    """Users of the settings, and that of the proof, are those of FAB."""
    for option in set_options(cluster, "core", "auth_manager"):
        if option.value.rpartition(".")[2] != "FabAuthManager":
            yield error(
                "planning.auth_manager",
                host="",
                what=f"{option.name} is {option.shown}, where neither airflow_users nor the proof's user "
                "can be made",
                fix="remove the option; with FAB people can sign in by LDAP or OAuth as well (Keycloak, for "
                "example): AUTH_TYPE in /var/lib/airflow/webserver_config.py on the web server's host",
            )


@plan_rule
def remote_logs(cluster: Cluster) -> Iterator[Finding]:
    """What writes task logs to S3 comes with the lock; one that was made before may lack it."""
    if not is_set(cluster, "airflow_remote_log_folder"):
        return
    lock = lock_file(cluster)
    if lock and "apache-airflow-providers-amazon" not in pinned(lock):
        yield error(
            "planning.remote_logs",
            host="",
            what=f"airflow_remote_log_folder is set, and {lock} has no "
            "apache-airflow-providers-amazon",
            fix=f"toolkit lock -i {cluster.inventory}"
            + (", and remove airflow_lock" if cluster.setting("airflow_lock") else ""),
        )


@plan_rule
def ports_apart(cluster: Cluster) -> Iterator[Finding]:
    """Two components of one host cannot have one port."""
    for host in cluster.all_hosts:
        users: defaultdict[int, list[str]] = defaultdict(list)
        for port in ports(cluster, host):
            users[port.number].append(f"{port.setting} ({port.component})")
        for number, settings in users.items():
            if len(settings) > 1:
                yield error(
                    "planning.same_port",
                    host=host.name,
                    what=f"{listed(settings)} are all {number}",
                    fix=f"give each a port of its own in {SETTINGS_FILE}",
                )


@plan_rule
def components(cluster: Cluster) -> Iterator[Finding]:
    """Release lines have different ones: webserver is api-server in Airflow 3."""
    has = list((release_line(cluster) or {"components": {}})["components"])
    for host in cluster.all_hosts if has else ():
        for name in airflow_components(cluster, host):
            if name not in has:
                near = difflib.get_close_matches(name, has, 1)
                yield error(
                    "planning.unknown_component",
                    host=host.name,
                    what=f"airflow_components names {name!r}, and Airflow "
                    f"{cluster.version} has {listed(has)}",
                    fix=f"write {near[0]}" if near else "remove it; groups decide when it is empty",
                )


def _values(cluster: Cluster, name: str) -> list[str]:
    """The values that can be read here: set, and no template."""
    found = [cluster.setting(name, host) for host in cluster.all_hosts]
    return sorted({str(value) for value in found if value and "{{" not in str(value)})


def _hosts_file(cluster: Cluster) -> Location:
    return Location(cluster.hosts_file)
