"""Combinations that cannot work whatever the hosts are like; nothing is connected to for these."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import urlsplit

from toolkit.checks.common import SETTINGS_FILE, error, listed
from toolkit.cluster import EC2_FILE, GROUPS, Cluster
from toolkit.cluster.lock import lock_file
from toolkit.cluster.lockfile import pinned
from toolkit.cluster.tables import release_lines, server_groups
from toolkit.cluster.topology import engine, ports, release_line
from toolkit.errors import Location
from toolkit.findings import Finding

Secrets = Collection[str] | Mapping[str, object]
"""Names of the variables that the vault sets; with their values where the caller has them."""


def release(cluster: Cluster, _: Secrets) -> Iterator[Finding]:
    """A release line that there is data for."""
    if release_line(cluster) is None:
        lines = listed(f"{line}.x" for line in release_lines())
        yield error(
            "planning.release",
            host="",
            what=f"Airflow {cluster.setting('airflow_version')} is not supported, {lines} are",
            fix=f"set airflow_version in {SETTINGS_FILE}, for example 3.3.2",
        )


def groups(cluster: Cluster, secrets: Secrets) -> Iterator[Finding]:
    """Every group that is needed or named has hosts."""
    external = {
        name for name, group in server_groups().items() if _is_set(cluster, group.url, secrets)
    }
    for group in GROUPS:
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
                why=_GROUPS[group],
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


def metadata_db(cluster: Cluster, secrets: Secrets) -> Iterator[Finding]:
    """One database: a host of ours, or somebody's URL."""
    hosts, external = cluster.group("metadata_db"), _is_set(cluster, "metadata_db_url", secrets)
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
    yield from _one_server(cluster, "metadata_db", secrets)


def broker(cluster: Cluster, secrets: Secrets) -> Iterator[Finding]:
    """Celery needs a broker: a host of ours, or somebody's URL."""
    hosts, external = cluster.group("broker"), _is_set(cluster, "broker_url", secrets)
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
    yield from _one_server(cluster, "broker", secrets)
    for url in _values(cluster, "broker_url", secrets):
        parts = urlsplit(url)
        if parts.scheme not in engine(cluster, "broker").schemes or parts.path not in ("", "/"):
            yield error(
                "planning.broker_url",
                host="",
                what="broker_url has to be redis://... or rediss://... without a database number "
                f"at its end; this one is {parts.scheme}://...{parts.path}",
                fix="broker_url: redis://:PASSWORD@HOST:6379",
            )


def _one_server(cluster: Cluster, group: str, secrets: Secrets) -> Iterator[Finding]:
    hosts = [host.name for host in cluster.group(group)]
    url = server_groups()[group].url
    if hosts and _is_set(cluster, url, secrets):
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


def sqlite(cluster: Cluster, secrets: Secrets) -> Iterator[Finding]:
    """SQLite is for Airflow's own tests."""
    found = [
        (name, url)
        for name in ("metadata_db_url", "airflow_database_url")
        for url in _values(cluster, name, secrets)
    ]
    found += _options(cluster, "database", "sql_alchemy_conn")
    for name, url in found:
        if url.startswith("sqlite"):
            yield error(
                "planning.sqlite",
                host="",
                what=f"{name} names an SQLite database, and the executor is {cluster.executor}",
                fix="remove it and name a host below metadata_db:, or give the URL of a PostgreSQL",
            )


def executor(cluster: Cluster, _: Secrets) -> Iterator[Finding]:
    """Groups decide about the executor; an option that says otherwise breaks the plan."""
    for name, value in _options(cluster, "core", "executor"):
        if value.rpartition(".")[2] != cluster.executor:
            workers = bool(cluster.group("worker"))
            yield error(
                "planning.executor",
                host="",
                what=f"{name} is {value}, but the inventory "
                + ("has workers" if workers else "has no worker")
                + f", which means {cluster.executor}",
                fix="remove the option"
                + (", or the group worker" if workers else ", or name hosts below worker:"),
            )


def dags_folder(cluster: Cluster, _: Secrets) -> Iterator[Finding]:
    """Airflow's own option would hide the canary, and DAGs that are deployed later."""
    for name, value in _options(cluster, "core", "dags_folder"):
        yield error(
            "planning.dags_folder",
            host="",
            what=f"{name} is {value}, which has a setting of its own",
            fix=f"remove the option, and set in {SETTINGS_FILE}: airflow_dags_folder: {value}",
        )


def remote_logs(cluster: Cluster, _: Secrets) -> Iterator[Finding]:
    """What writes task logs to S3 comes with the lock; one that was made before may lack it."""
    if not _is_set(cluster, "airflow_remote_log_folder", ()):
        return
    lock = lock_file(cluster)
    if lock and "apache-airflow-providers-amazon" not in pinned(lock):
        yield error(
            "planning.remote_logs",
            host="",
            what=f"airflow_remote_log_folder is set, and {lock} has no "
            "apache-airflow-providers-amazon",
            fix=f"toolkit lock -i {cluster.directory}"
            + (", and remove airflow_lock" if cluster.setting("airflow_lock") else ""),
        )


def ports_apart(cluster: Cluster, _: Secrets) -> Iterator[Finding]:
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


def _is_set(cluster: Cluster, name: str, secrets: Secrets) -> bool:
    value = secrets.get(name) if isinstance(secrets, Mapping) else name in secrets
    return bool(value) or any(cluster.setting(name, host) for host in cluster.all_hosts)


def _values(cluster: Cluster, name: str, secrets: Secrets) -> list[str]:
    """The values that can be read here: set, and no template."""
    found = [cluster.setting(name, host) for host in cluster.all_hosts]
    if isinstance(secrets, Mapping):
        found.append(secrets.get(name))
    return sorted({str(value) for value in found if value and "{{" not in str(value)})


def _options(cluster: Cluster, section: str, key: str) -> list[tuple[str, str]]:
    """Where an option of airflow.cfg is set by hand (a name with its place), and to what."""
    environment = f"AIRFLOW__{section}__{key}".upper()
    found = []
    for variable in cluster.variables:
        if variable.name == "airflow_config":
            option, value = f"{section}.{key}", _entry(_entry(variable.value, section), key)
        elif variable.name == "airflow_environment":
            option, value = environment, _entry(variable.value, environment)
        else:
            continue
        if value:
            found.append((f"{variable.location}: {option} in {variable.name}", str(value)))
    return found


def _entry(mapping: object, key: str) -> object:
    return mapping.get(key) if isinstance(mapping, dict) else None


def _hosts_file(cluster: Cluster) -> Location:
    made_by = cluster.directory / EC2_FILE
    return Location(made_by if made_by.exists() else cluster.directory / "hosts.yml")
