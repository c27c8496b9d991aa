"""Which parts of Airflow run on a host, and the ports they open; from roles/airflow's own table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from toolkit.cluster.model import Cluster, Host
from toolkit.content import content_dir
from toolkit.errors import ToolkitError

BROKER = "redis"

_PORT_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "webserver": ("airflow_web_port",),
    "api-server": ("airflow_web_port",),
    "scheduler": ("airflow_scheduler_health_port",),
    "triggerer": ("airflow_triggerer_log_port",),
    "worker": ("airflow_worker_log_port",),
    "postgres": ("postgres_port",),
    "mysql": ("mysql_port",),
    BROKER: ("redis_port",),
}


_ACCESS: Mapping[str, str] = {
    "metadata_db": "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "broker": "AIRFLOW__CELERY__BROKER_URL",
}
"""Group of a server -> the secret that gives a component access to it."""


@dataclass(frozen=True)
class Port:
    """A TCP port that a component opens, and the setting that moves it."""

    component: str
    setting: str
    number: int


@dataclass(frozen=True)
class Link:
    """A connection that one host opens to a component of another; `setting` moves the port."""

    source: str
    target: str
    address: str
    component: str
    number: int
    setting: str


@cache
def release_lines() -> Mapping[str, Any]:
    """The release lines ("2", "3") with their components, Pythons and memory needs."""
    path = content_dir() / "roles" / "airflow" / "files" / "release_lines.yml"
    lines: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return lines


def release_line(cluster: Cluster) -> Mapping[str, Any] | None:
    """The line that airflow_version belongs to; None for one that is not supported."""
    line: Mapping[str, Any] | None = release_lines().get(
        str(cluster.setting("airflow_version")).partition(".")[0]
    )
    return line


def airflow_components(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """The Airflow components of a host, as the role derives them from its groups."""
    chosen = cluster.setting("airflow_components", host)
    if isinstance(chosen, list) and chosen:
        return tuple(str(name) for name in chosen)
    triggerer = cluster.setting("airflow_triggerer_enabled", host) is not False
    return tuple(
        name
        for name, component in (release_line(cluster) or {"components": {}})["components"].items()
        if component["group"] in host.groups and (name != "triggerer" or triggerer)
    )


def canary_tasks(cluster: Cluster) -> list[tuple[Host, tuple[str, str]]]:
    """Each host that runs tasks, with the canary's there (toolkit_canary.py.j2): bash and Python."""
    workers = [
        (host, (f"bash_on_{host.name}", f"python_on_{host.name}"))
        for host in cluster.group("worker")
    ]
    return workers or [(cluster.group("scheduler")[0], ("bash", "python"))]


def database(cluster: Cluster) -> str:
    """The database server that the roles would install: postgres or mysql."""
    return str(cluster.setting("metadata_db_engine"))


def server_port(cluster: Cluster, group: str) -> int:
    """The port of the server of metadata_db or broker, whoever runs it.

    Raises:
        ToolkitError: the setting is no plain number.
    """
    name = _PORT_SETTINGS[database(cluster) if group == "metadata_db" else BROKER][0]
    port = cluster.setting(name)
    if not isinstance(port, int):
        raise ToolkitError(f"{name} has to be a plain number here", fix=f"{name}: 5432")
    return port


def servers(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """The database and broker servers that the roles install on a host."""
    found = []
    if "metadata_db" in host.groups and not cluster.setting("metadata_db_url", host):
        found.append(database(cluster))
    if "broker" in host.groups and not cluster.setting("broker_url", host):
        found.append(BROKER)
    return tuple(found)


def ports(cluster: Cluster, host: Host) -> tuple[Port, ...]:
    """The TCP ports that will be opened on a host, as far as the inventory says plain numbers."""
    names = (*airflow_components(cluster, host), *servers(cluster, host))
    wanted = [(name, setting) for name in names for setting in _PORT_SETTINGS.get(name, ())]
    if "scheduler" in names and cluster.executor == "LocalExecutor":
        # Tasks run below the scheduler there, so it serves their logs.
        wanted.append(("scheduler", "airflow_worker_log_port"))
    numbers = [(name, setting, cluster.setting(setting, host)) for name, setting in wanted]
    return tuple(Port(*found) for found in numbers if isinstance(found[2], int))


def uses(cluster: Cluster, host: Host, group: str) -> bool:
    """Whether a component of the host connects to the server of metadata_db or broker."""
    line = release_line(cluster) or {"secrets": {}}
    users = set(line["secrets"].get(_ACCESS[group], ()))
    wanted = group == "metadata_db" or cluster.executor == "CeleryExecutor"
    return wanted and bool(users & set(airflow_components(cluster, host)))


def address_of(host: Host) -> str:
    """Where the other hosts of the cluster reach it."""
    return str(host.variables.get("base_address", host.address))


def links(cluster: Cluster) -> tuple[Link, ...]:
    """Every connection between two hosts that Airflow needs to work, logs in the UI included."""
    found = []
    for source in cluster.all_hosts:
        wanted = _wanted_by(cluster, source)
        for target in cluster.all_hosts:
            for port in ports(cluster, target) if target.name != source.name else ():
                if port.setting in wanted:
                    found.append(Link(source.name, target.name, address_of(target),
                                      port.component, port.number, port.setting))  # fmt: skip
    return tuple(found)


def _wanted_by(cluster: Cluster, host: Host) -> set[str]:
    """The settings of those ports that a host's components connect to, wherever they are."""
    components = set(airflow_components(cluster, host))
    wanted = set()
    if uses(cluster, host, "metadata_db"):
        wanted.add(f"{database(cluster)}_port")
    if uses(cluster, host, "broker"):
        wanted.add("redis_port")
    if components & {"webserver", "api-server"}:
        wanted |= {"airflow_worker_log_port", "airflow_triggerer_log_port"}
    line_3 = "api-server" in (release_line(cluster) or {"components": {}})["components"]
    if line_3 and "worker" in components:
        wanted.add("airflow_web_port")
    if line_3 and "scheduler" in components and cluster.executor == "LocalExecutor":
        wanted.add("airflow_web_port")
    return wanted
