"""Which parts of Airflow run on a host, and the ports they open, from the roles' tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.cluster import planner
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.tables import (
    Component,
    Driver,
    Engine,
    components,
    engines,
    release_lines,
    server_groups,
)
from toolkit.errors import ToolkitError


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


def major(cluster: Cluster) -> str:
    """The name of the line that airflow_version belongs to, for example "3"."""
    return cluster.version.partition(".")[0]


def release_line(cluster: Cluster) -> Mapping[str, Any] | None:
    """The line that airflow_version belongs to; None for one that is not supported."""
    line: Mapping[str, Any] | None = release_lines().get(major(cluster))
    return line


def records(cluster: Cluster) -> Mapping[str, Component]:
    """The components of the cluster's release line by name."""
    return components(major(cluster))


def airflow_components(cluster: Cluster, host: Host, line: str = "") -> tuple[str, ...]:
    """The Airflow components of a host, as the role derives them from its groups.

    Args:
        line: a release line, such as "2"; that of airflow_version when empty.
    """
    line = line or major(cluster)
    chosen = cluster.setting("airflow_components", host)
    named = [str(name) for name in chosen] if isinstance(chosen, list) else []
    switches = {
        one.enabled_by: cluster.setting(one.enabled_by, host) for one in components(line).values()
    }
    table = release_lines().get(line) or {"components": {}}
    return tuple(planner.components(table, host.groups, named, switches))


def is_enabled(cluster: Cluster, component: Component, host: Host) -> bool:
    """Whether no setting turns a component off."""
    switch = component.enabled_by
    return not switch or cluster.setting(switch, host) is not False


def host_records(cluster: Cluster, host: Host) -> tuple[Component, ...]:
    """The records of a host's components; of one that the release line lacks there is none."""
    found = records(cluster)
    return tuple(found[name] for name in airflow_components(cluster, host) if name in found)


def runs_tasks(cluster: Cluster, component: Component) -> bool:
    """Whether tasks run below a component."""
    return cluster.executor in component.runs_tasks


def reports_to_web(cluster: Cluster, host: Host) -> bool:
    """Whether tasks of a host report to the web server."""
    line = release_line(cluster) or {"task_connects_to": ()}
    return (
        bool(airflow_components(cluster, host)) and "airflow_web_port" in line["task_connects_to"]
    )


def airflow_option(cluster: Cluster, host: Host, section: str, option: str) -> str:
    """An option of Airflow's own that is set for a host, by airflow_environment or airflow_config; "" for none."""
    config, environment = (
        value if isinstance(value, dict) else {}
        for value in (
            cluster.setting(name, host) for name in ("airflow_config", "airflow_environment")
        )
    )
    return planner.option_value(config, environment, section, option)


def canary_tasks(cluster: Cluster) -> list[tuple[Host, tuple[str, str]]]:
    """Each host that runs tasks, with the canary's there (toolkit_canary.py.j2): bash and Python."""
    workers = [
        (host, (f"bash_on_{host.name}", f"python_on_{host.name}"))
        for host in cluster.group("worker")
    ]
    return workers or [(cluster.group("scheduler")[0], ("bash", "python"))]


def engine(cluster: Cluster, group: str) -> Engine:
    """The engine that the roles would install for a group (metadata_db or broker).

    Raises:
        ToolkitError: the setting names an engine that there is no table of.
    """
    setting = server_groups()[group].engine
    able = {name: one for name, one in engines().items() if one.group == group}
    name = str(cluster.setting(setting)) if setting else next(iter(able))
    if name not in able:
        raise ToolkitError(
            f"{setting} is {name}, and there is no such engine",
            fix=f"{setting}: {' or '.join(able)}",
        )
    return able[name]


def database(cluster: Cluster) -> str:
    """The database server that the roles would install, for example postgres."""
    return engine(cluster, "metadata_db").name


def driver(cluster: Cluster, engine: Engine) -> Driver:
    """The Python driver that Airflow gets for an engine."""
    chosen = str(cluster.setting(engine.driver_setting)) if engine.driver_setting else ""
    return engine.drivers.get(chosen) or next(iter(engine.drivers.values()))


def server_port(cluster: Cluster, group: str) -> int:
    """The port of the server of metadata_db or broker, whoever runs it.

    Raises:
        ToolkitError: the setting is no plain number.
    """
    wanted = engine(cluster, group)
    port = cluster.setting(wanted.port)
    if not isinstance(port, int):
        raise ToolkitError(
            f"{wanted.port} has to be a plain number here",
            fix=f"{wanted.port}: {wanted.default_port}",
        )
    return port


def servers(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """The database and broker servers that the roles install on a host."""
    return tuple(
        engine(cluster, name).name
        for name, group in server_groups().items()
        if name in host.groups and not cluster.setting(group.url, host)
    )


def ports(cluster: Cluster, host: Host) -> tuple[Port, ...]:
    """The TCP ports that will be opened on a host, as far as the inventory says plain numbers."""
    found = host_records(cluster, host)
    wanted = [(one.name, port.setting) for one in found for port in one.ports]
    wanted += [(name, engines()[name].port) for name in servers(cluster, host)]
    # Whoever runs tasks serves their logs.
    task_port = (release_line(cluster) or {}).get("task_port", {}).get("setting", "")
    wanted += [(one.name, task_port) for one in found if runs_tasks(cluster, one)]
    numbers = [(name, setting, cluster.setting(setting, host)) for name, setting in wanted]
    return tuple(Port(*found) for found in numbers if isinstance(found[2], int))


def uses(cluster: Cluster, host: Host, group: str) -> bool:
    """Whether a component of the host connects to the server of metadata_db or broker."""
    line = release_line(cluster) or {"secrets": {}}
    users = set(line["secrets"].get(server_groups()[group].secret, ()))
    wanted = group != "broker" or cluster.executor == "CeleryExecutor"
    return wanted and bool(users & set(airflow_components(cluster, host)))


def links(cluster: Cluster) -> tuple[Link, ...]:
    """Every connection between two hosts that Airflow needs to work, logs in the UI included."""
    opened = [(target, port) for target in cluster.all_hosts for port in ports(cluster, target)]
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, (_, port) in enumerate(opened):
        places[port.setting].append(place)
    found = []
    for source in cluster.all_hosts:
        # Only what it connects to: among thousands of hosts most have nothing to do with each other.
        for place in sorted(one for name in _wanted_by(cluster, source) for one in places[name]):
            target, port = opened[place]
            if target.name != source.name:
                found.append(Link(source.name, target.name, target.base_address,
                                  port.component, port.number, port.setting))  # fmt: skip
    return tuple(found)


def _wanted_by(cluster: Cluster, host: Host) -> set[str]:
    """The settings of those ports that a host's components connect to, wherever they are."""
    found = host_records(cluster, host)
    wanted = {name for component in found for name in component.connects_to}
    wanted |= {
        engine(cluster, group).port for group in server_groups() if uses(cluster, host, group)
    }
    if any(runs_tasks(cluster, component) for component in found):
        wanted |= set((release_line(cluster) or {}).get("task_connects_to", ()))
    return wanted
