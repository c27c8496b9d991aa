"""The tables that roles and toolkit share: engines, their distributions, components of Airflow.

An engine is roles/<name>/engine.yml, its names on a distribution are roles/<name>/platforms/*.yml,
a group that an engine serves is roles/<group>/server.yml, a component is a record of
roles/airflow/files/release_lines.yml, a distribution one of roles/base/distributions.yml. What
a key means is said in those files.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from toolkit.content import content_dir


@dataclass(frozen=True)
class OsRelease:
    """What os-release(5) says of a host: ID, ID_LIKE and VERSION_ID."""

    id: str = ""
    id_like: tuple[str, ...] = ()
    version: str = ""


@dataclass(frozen=True)
class Disk:
    """What is written below a path.

    Attributes:
        first_mb: free space for the first installation, in MB (2**20 bytes).
        again_mb: free space for a further run on a host that is installed already.
        inodes: files that are created.
        purpose: what it is for.
    """

    first_mb: int
    again_mb: int
    inodes: int
    purpose: str


@dataclass(frozen=True)
class Driver:
    """A Python driver: the scheme of SQLAlchemy's URL, and what it needs in the lock."""

    scheme: str
    extras: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServerPlatform:
    """An engine on a distribution; roles/<engine>/platforms has more keys, for the role alone.

    Attributes:
        server_packages: what is installed.
        installed_packages: patterns (fnmatch(3)) of their names once they are installed.
        service: the unit that is started, without its ending.
        units: patterns of the engine's own units.
        data_directory: where its data is.
        drop_in_file: a pattern of the configuration that the role writes.
        lacking: releases (VERSION_ID) that have no package of it.
    """

    server_packages: tuple[str, ...]
    installed_packages: tuple[str, ...]
    service: str
    units: tuple[str, ...]
    data_directory: str
    drop_in_file: str
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True)
class Engine:
    """A database or broker server; attributes are the keys of engine.yml."""

    name: str
    title: str
    group: str
    port: str
    default_port: int
    schemes: tuple[str, ...]
    drivers: Mapping[str, Driver]
    oldest: tuple[int, ...]
    memory_mb: int
    disk: Disk
    driver_setting: str = ""
    repository: str = ""

    @cached_property
    def platforms(self) -> Mapping[str, ServerPlatform]:
        """Its tables, by the names of their files."""
        found = _files(content_dir() / "roles" / self.name / "platforms")
        return {name: _made(ServerPlatform, data) for name, data in found.items()}

    def on(self, host: OsRelease | None) -> ServerPlatform | None:
        """Its names on a host's distribution; None where it cannot be installed."""
        names = (name for name in platform_names(host) if name in self.platforms)
        return next((self.platforms[name] for name in names), None)


@dataclass(frozen=True)
class Server:
    """What an engine is needed for: a group of the inventory, or a server elsewhere in its place.

    Attributes:
        group: of the inventory.
        engine: the setting that chooses the engine; "" where there is only one.
        url: the setting that names a server elsewhere.
        secret: the variable that gives a component of Airflow access to it.
    """

    group: str
    engine: str
    url: str
    secret: str


@dataclass(frozen=True)
class Opening:
    """A TCP port that a component opens.

    Attributes:
        setting: moves it.
        open_to: who connects to it: "members" of the cluster, "people" as well, or only the "host".
        by_name: whether members look for it at the name that the host gives itself.
    """

    setting: str
    open_to: str = "members"
    by_name: bool = False


@dataclass(frozen=True)
class Connections:
    """Connections to the database at most: for the component itself, and for each of its tasks."""

    itself: int = 0
    each_task: int = 0


@dataclass(frozen=True)
class Component:
    """A component of Airflow; attributes are the keys of its record in release_lines.yml."""

    name: str
    group: str
    arguments: str
    memory_mb: int
    command: str = ""
    enabled_by: str = ""
    ports: tuple[Opening, ...] = ()
    connects_to: tuple[str, ...] = ()
    runs_tasks: tuple[str, ...] = ()
    runs_code: bool = False
    queues: bool = False
    web: bool = False
    health: str = ""
    heartbeat: str = ""
    worker_memory_mb: int = 0
    connections: Connections = field(default_factory=Connections)
    restart_seconds: int = 5
    loses_signals: bool = False
    parses_dags: bool = False
    proxy_argument: str = ""


@dataclass(frozen=True)
class Firewall:
    """A firewall: a shell command that succeeds where it is active, and one that opens {port}."""

    active: str
    open: str


@dataclass(frozen=True)
class Words:
    """A distribution's own names and commands; attributes are the keys of roles/base/platforms."""

    cache_directory: str
    time_package: str
    entropy_package: str
    locale_package: str
    commands: Mapping[str, str]
    firewalls: tuple[Firewall, ...]

    def command(self, name: str, **values: str) -> str:
        """A command for root, with what is in its braces filled in."""
        return self.commands[name].format(**values)

    def sudo(self, name: str, **values: str) -> str:
        """The same for a person with sudo."""
        return with_sudo(self.command(name, **values))


def with_sudo(command: str) -> str:
    """A command for root, or several with && between them, as a person with sudo types it."""
    return " && ".join(f"sudo {part}" for part in command.split(" && "))


@dataclass(frozen=True)
class Distribution:
    """A distribution; attributes are the keys of roles/base/distributions.yml."""

    platform: str
    family: str
    releases: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)


@cache
def engines() -> Mapping[str, Engine]:
    """Every engine by name."""
    paths = sorted((content_dir() / "roles").glob("*/engine.yml"))
    return {
        path.parent.name: _made(Engine, {"name": path.parent.name, **read(path)}) for path in paths
    }


def engine_of(url: str) -> Engine | None:
    """The engine that a URL leads to; None for one that there is no table of."""
    scheme = url.partition(":")[0].partition("+")[0]
    return next((one for one in engines().values() if scheme in one.schemes), None)


@cache
def server_groups() -> Mapping[str, Server]:
    """Every group that an engine serves: metadata_db first, then broker and others by name."""
    paths = sorted((content_dir() / "roles").glob("*/server.yml"), key=_metadata_db_first)
    return {
        path.parent.name: _made(Server, {"group": path.parent.name, **read(path)}) for path in paths
    }


def _metadata_db_first(path: Path) -> tuple[bool, str]:
    return path.parent.name != "metadata_db", path.parent.name


@cache
def release_lines() -> Mapping[str, Any]:
    """The release lines ("2", "3") with their components, Pythons and memory needs."""
    return read(content_dir() / "roles" / "airflow" / "files" / "release_lines.yml")


@cache
def components(line: str) -> Mapping[str, Component]:
    """The components of a release line by name; {} for a line that there is no data for."""
    found = release_lines().get(line, {}).get("components", {})
    return {name: _made(Component, {"name": name, **data}) for name, data in found.items()}


def all_components() -> tuple[Component, ...]:
    """Those of every release line."""
    return tuple(one for line in release_lines() for one in components(line).values())


@cache
def groups() -> tuple[str, ...]:
    """The inventory groups that decide what runs where: of servers, then of components."""
    return (*server_groups(), *sorted({one.group for one in all_components()}))


@cache
def openings() -> Mapping[str, Opening]:
    """Every port that a component or its tasks open, by its setting."""
    tasks = [_made(Opening, line["task_port"]) for line in release_lines().values()]
    ports = [port for component in all_components() for port in component.ports]
    return {port.setting: port for port in (*tasks, *ports)}


@cache
def distributions() -> Mapping[str, Distribution]:
    """Every distribution by its ID in os-release(5)."""
    found = read(content_dir() / "roles" / "base" / "distributions.yml")
    return {name: _made(Distribution, data) for name, data in found.items()}


def is_supported(host: OsRelease) -> bool:
    """Whether there is data for a host's distribution in this release."""
    known = distributions().get(host.id)
    return known is not None and host.version in known.releases


def platform_names(host: OsRelease | None) -> tuple[str, ...]:
    """The names of tables in roles/*/platforms that hold for a host, the most exact one first.

    A distribution that is not supported has those of the families that it is like.
    """
    if host is None:
        return ()
    like = [name for name in (host.id, *host.id_like) if name in distributions()]
    known = [distributions()[name] for name in like]
    own = [known[0].platform] if like[:1] == [host.id] else []
    names = [f"{name}-{host.version}" for name in own] + own + [one.family for one in known]
    names += ["redhat"] if {"rhel", "fedora"} & {host.id, *host.id_like} else []
    return tuple(dict.fromkeys(names))


def platform(role: str, host: OsRelease | None) -> Mapping[str, Any] | None:
    """A role's table for a host's distribution; None where there is none."""
    found = _files(content_dir() / "roles" / role / "platforms")
    return next((found[name] for name in platform_names(host) if name in found), None)


def platforms(role: str) -> tuple[Mapping[str, Any], ...]:
    """All tables of a role."""
    return tuple(_files(content_dir() / "roles" / role / "platforms").values())


def words(host: OsRelease | None) -> Words:
    """The names and commands of a host's distribution; Debian's for one that is like no other."""
    data = (
        platform("base", host) or _files(content_dir() / "roles" / "base" / "platforms")["debian"]
    )
    made: Words = _made(Words, data)
    return made


@cache
def _files(directory: Path) -> Mapping[str, Mapping[str, Any]]:
    return {path.stem: read(path) for path in sorted(directory.glob("*.yml"))}


@cache
def read(path: Path) -> Mapping[str, Any]:
    """A YAML file of mappings, read once."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: Mapping[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader) or {}
    return found


_PARTS: Mapping[str, type[Any]] = {
    "disk": Disk,
    "drivers": Driver,
    "ports": Opening,
    "connections": Connections,
    "firewalls": Firewall,
}
"""Which type the value of a key has, or each item of it."""


def _made(kind: type[Any], data: Mapping[str, Any]) -> Any:
    """A dataclass from a table: other keys are for the roles, null keeps the default."""
    names = [entry.name for entry in fields(kind) if data.get(entry.name) is not None]
    return kind(**{name: _value(_PARTS.get(name), data[name]) for name in names})


def _value(part: type[Any] | None, value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_value(part, item) for item in value)
    if part is Driver:
        return {name: _made(part, item) for name, item in value.items()}
    if isinstance(value, Mapping):
        return _made(part, value) if part else {name: _value(None, value[name]) for name in value}
    return value


def drop_in_files() -> tuple[str, ...]:
    """Patterns of the configuration that the engines' roles write, on whichever distribution."""
    return _unique(one.drop_in_file for one in _all_platforms())


def data_directories() -> tuple[str, ...]:
    """Where the engines keep their data, on whichever distribution."""
    return _unique(one.data_directory for one in _all_platforms())


def cache_directories() -> tuple[str, ...]:
    """Where package managers keep downloads."""
    return _unique(str(data["cache_directory"]) for data in platforms("base"))


def installed_packages() -> tuple[str, ...]:
    """Patterns of the packages of every engine, on whichever distribution."""
    return _unique(name for one in _all_platforms() for name in one.installed_packages)


def _all_platforms() -> Iterable[ServerPlatform]:
    return (platform for one in engines().values() for platform in one.platforms.values())


def _unique(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
