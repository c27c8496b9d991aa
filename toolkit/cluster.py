"""A cluster: an Ansible inventory directory, read without connecting anywhere.

Static YAML is read here, with line numbers and in a few milliseconds; importing Ansible's own
reader takes over a second. Whatever is not plain YAML (INI, plugins, scripts, host ranges) is
asked of `ansible-inventory`. A contract test holds the two readings against each other.
"""

from __future__ import annotations

import fnmatch
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.errors import Location, ToolkitError
from toolkit.yamlfile import is_vaulted, read_mapping

GROUPS = ("metadata_db", "broker", "scheduler", "webserver", "worker")
"""The inventory groups that decide which component runs where."""

NOT_INVENTORY = ("airflow.lock", "known_hosts")
"""Files of ours in the directory that Ansible must not read as host lists (see ansible.cfg)."""

IGNORED_ENDINGS = (
    ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
    ".pem", ".crt", ".asc", ".pub",
)  # fmt: skip
"""Ansible's own default for files that are no host lists, and those of certificates and keys."""

EC2_FILE = "ec2.yml"
"""What `toolkit ec2` makes. No host list either, but `hosts.aws_ec2.yml`, which ends alike, is one."""

NOT_INVENTORY_PATTERN = f"^{re.escape(EC2_FILE)}$"


@dataclass(frozen=True)
class Variable:
    """One variable as it stands in the inventory; `scope` is "all", a group or a host."""

    name: str
    value: Any
    location: Location
    scope: str


@dataclass(frozen=True)
class Host:
    """A host of the inventory with its merged variables; Jinja in them is not evaluated."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = field(repr=False)

    @property
    def address(self) -> str:
        """Where SSH connects to."""
        return str(self.variables.get("ansible_host", self.name))

    @property
    def port(self) -> int:
        """The SSH port."""
        return int(self.variables.get("ansible_port", 22))

    @property
    def user(self) -> str | None:
        """The login user; None leaves it to the SSH configuration."""
        user = self.variables.get("ansible_user")
        return None if user is None else str(user)

    @property
    def key_file(self) -> Path | None:
        """The private key; None leaves it to the SSH agent and configuration."""
        path = self.variables.get("ansible_ssh_private_key_file")
        return None if path is None else Path(str(path)).expanduser()


@dataclass(frozen=True)
class Cluster:
    """All that the inventory says. `hosts` are those in play, `all_hosts` those of the cluster."""

    directory: Path
    all_hosts: tuple[Host, ...]
    variables: tuple[Variable, ...]
    group_names: tuple[str, ...]
    limit: str | None = None

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.name

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts this run is about: all, or those that the limit leaves."""
        if self.limit is None:
            return self.all_hosts
        chosen = _match(self.limit, self.all_hosts)
        return tuple(host for host in self.all_hosts if host.name in chosen)

    def group(self, name: str) -> tuple[Host, ...]:
        """Every host of a group, whatever the limit: plans are about the whole cluster."""
        return tuple(host for host in self.all_hosts if name in host.groups)

    def host(self, name: str) -> Host:
        """The host of that inventory name.

        Raises:
            KeyError: there is none.
        """
        return next(host for host in self.all_hosts if host.name == name)

    @property
    def executor(self) -> str:
        """Airflow's executor: Celery as soon as there is a worker host."""
        return "CeleryExecutor" if self.group("worker") else "LocalExecutor"

    def setting(self, name: str, host: Host | None = None) -> Any:
        """A setting's value on a host (or for all): the inventory's, else the role's default."""
        if host is not None and name in host.variables:
            return host.variables[name]
        if host is None:
            for variable in reversed(self.variables):
                if variable.name == name and variable.scope == "all":
                    return variable.value
        from toolkit.settings import load_specs

        spec = load_specs().get(name)
        return spec.default if spec else None

    def limited(self, pattern: str | None) -> Cluster:
        """The same cluster with only the hosts that an Ansible pattern names in play.

        Raises:
            ToolkitError: no host matches.
        """
        narrowed = replace(self, limit=pattern)
        if not narrowed.hosts:
            raise ToolkitError(
                f"--limit {pattern} matches no host of {self.name}",
                where=str(self.directory),
                fix="use one of: " + ", ".join(host.name for host in self.all_hosts),
            )
        return narrowed

    @classmethod
    def load(cls, directory: Path) -> Cluster:
        """Read an inventory directory.

        Raises:
            ToolkitError: it does not exist, holds no hosts, or a file of it cannot be read.
        """
        directory = directory.expanduser().resolve()
        if not directory.is_dir():
            raise ToolkitError(
                f"there is no inventory directory {directory}",
                fix=f"toolkit init {directory} --sample single --host all=USER@ADDRESS",
            )
        tree = _read_tree(directory)
        if not tree.hosts:
            raise _no_host(directory)
        return cls._of(directory, tree)

    @classmethod
    def planned(cls, directory: Path, groups: Mapping[str, Iterable[str]]) -> Cluster:
        """The cluster that a directory's settings make of hosts that need not exist yet.

        Args:
            groups: host -> its groups.
        """
        tree = _Tree(hosts={host: set(names) for host, names in groups.items()})
        tree.children = {name: set() for names in groups.values() for name in names}
        return cls._of(directory, tree)

    @classmethod
    def _of(cls, directory: Path, tree: _Tree) -> Cluster:
        files = list(_variable_files(directory, tree))
        hosts = tuple(_host(name, tree, files) for name in tree.hosts)
        variables = (*tree.variables, *files)
        return cls(directory, hosts, variables, tuple(tree.children))


def _no_host(directory: Path) -> ToolkitError:
    if (directory / EC2_FILE).exists():
        return ToolkitError(
            "its instances do not exist yet, or exist no more",
            where=str(directory / EC2_FILE),
            fix=f"toolkit ec2 up -i {directory}",
        )
    return ToolkitError(
        "the inventory names no host",
        where=str(directory / "hosts.yml"),
        fix="add one below a group, for example scheduler: {hosts: {h1: {ansible_host: "
        "203.0.113.7, ansible_user: ubuntu}}}",
    )


@dataclass
class _Tree:
    """Groups and hosts while they are read; `children` has every group that is named."""

    hosts: dict[str, set[str]] = field(default_factory=dict)  # host -> groups it stands in
    children: dict[str, set[str]] = field(default_factory=dict)  # group -> groups below it
    variables: list[Variable] = field(default_factory=list)

    def parents(self, group: str) -> set[str]:
        direct = {name for name, below in self.children.items() if group in below}
        return direct.union(*(self.parents(name) for name in direct))

    def groups_of(self, host: str) -> list[str]:
        """Its groups, the farthest ancestors first, as Ansible merges them."""
        found = set(self.hosts[host])
        for group in tuple(found):
            found |= self.parents(group)
        found.discard("all")
        return sorted(found, key=lambda group: (len(self.parents(group) - {"all"}), group))


def _read_tree(directory: Path) -> _Tree:
    sources = [
        path
        for path in sorted(directory.iterdir())
        if path.is_file()
        and not path.name.startswith(".")
        and path.name not in (*NOT_INVENTORY, EC2_FILE)
        and not path.name.endswith(IGNORED_ENDINGS)
    ]
    tree = _Tree()
    if all(path.suffix in {".yml", ".yaml"} for path in sources):
        contents = {path: read_mapping(path) for path in sources}
        if not any("plugin" in content for content in contents.values()):
            for content in contents.values():
                for group, (body, location) in content.items():
                    _add_group(tree, group, body, location)
            if not any("[" in host for host in tree.hosts):
                return tree
    return _ask_ansible(directory)


def _add_group(tree: _Tree, group: str, body: Any, location: Location) -> None:
    tree.children.setdefault(group, set())
    body = {} if body is None else body
    unknown = set(body) - {"hosts", "children", "vars"} if isinstance(body, dict) else {"?"}
    if unknown or any(not isinstance(part or {}, dict) for part in body.values()):
        raise ToolkitError(
            f"group {group} has to consist of hosts:, children: and vars:, each with names below",
            where=location,
            fix=f"write {group}: {{hosts: {{h1: {{ansible_host: 203.0.113.7}}}}}}",
        )
    for name, value in (body.get("vars") or {}).items():
        tree.variables.append(Variable(str(name), value, location, group))
    for host, variables in (body.get("hosts") or {}).items():
        tree.hosts.setdefault(str(host), set()).add(group)
        if not isinstance(variables or {}, dict):
            raise ToolkitError(
                f"host {host} has to be followed by its variables, one `name: value` a line",
                where=location,
                fix=f"write {host}: {{ansible_host: 203.0.113.7}}",
            )
        for name, value in (variables or {}).items():
            tree.variables.append(Variable(str(name), value, location, str(host)))
    for child, child_body in (body.get("children") or {}).items():
        tree.children[group].add(str(child))
        _add_group(tree, str(child), child_body, location)


def _ask_ansible(directory: Path) -> _Tree:
    """Read an inventory that is not plain YAML with Ansible's own reader."""
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(directory), "--list"]
    command.append("--export")  # variables of groups stay with the groups
    environment = os.environ | {
        "ANSIBLE_INVENTORY_IGNORE": ",".join([*IGNORED_ENDINGS, *NOT_INVENTORY]),
        # Files of variables are read here: with line numbers, and without the vault's password.
        "ANSIBLE_VARS_ENABLED": "",
        "ANSIBLE_INVENTORY_IGNORE_REGEX": NOT_INVENTORY_PATTERN,
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FATAL": "true",
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        cause = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "")
        raise ToolkitError(
            f"Ansible cannot read this inventory: {cause.strip()}",
            where=str(directory),
            fix=f"ansible-inventory -i {directory} --list",
        )
    listing = json.loads(done.stdout, object_hook=_plain)
    tree = _Tree()
    whole = Location(directory)
    for group, body in listing.items():
        if group == "_meta":
            continue
        tree.children[group] = set(body.get("children", ()))
        for name, value in body.get("vars", {}).items():
            tree.variables.append(Variable(name, value, whole, group))
        for host in body.get("hosts", ()):
            tree.hosts.setdefault(host, set()).add(group)
    for host, variables in listing["_meta"]["hostvars"].items():
        tree.hosts.setdefault(host, set())
        for name, value in variables.items():
            tree.variables.append(Variable(name, value, whole, host))
    return tree


def _plain(value: dict[str, Any]) -> Any:
    """What came from outside, such as an API, is marked by Ansible as no template."""
    return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else value


def _variable_files(directory: Path, tree: _Tree) -> Iterator[Variable]:
    """Every variable of group_vars/ and host_vars/, in the order in which later ones win."""
    known = {"group_vars": {"all", *tree.children}, "host_vars": set(tree.hosts)}
    for kind, names in known.items():
        root = directory / kind
        entries = sorted(root.iterdir()) if root.is_dir() else []
        for entry in sorted(entries, key=lambda path: (path.stem != "all", path.name)):
            scope = entry.name if entry.is_dir() else entry.stem
            if entry.name.startswith(".") or scope not in names:
                continue
            for path in _yaml_files(entry):
                if not is_vaulted(path):
                    for name, (value, location) in read_mapping(path).items():
                        yield Variable(name, value, location, scope)


def _yaml_files(entry: Path) -> Iterable[Path]:
    if entry.is_file():
        return [entry]
    return sorted(
        path
        for path in entry.rglob("*")
        if path.is_file() and path.suffix in {".yml", ".yaml", ".json", ""}
        and not path.name.startswith(".")
    )  # fmt: skip


def _host(name: str, tree: _Tree, files: list[Variable]) -> Host:
    groups = tree.groups_of(name)
    merged: dict[str, Any] = {}
    # Ansible's order: inline group variables, group_vars/all, group_vars/*, inline, host_vars.
    for scope_order, source in (
        (["all", *groups], tree.variables),
        (["all", *groups], files),
        ([name], tree.variables),
        ([name], files),
    ):
        for scope in scope_order:
            merged.update({v.name: v.value for v in source if v.scope == scope})
    return Host(name, tuple(groups), merged)


def _match(pattern: str, hosts: Iterable[Host]) -> set[str]:
    """Host names an Ansible host pattern selects: names, groups, globs, ~regex, & and !."""
    hosts = list(hosts)
    chosen: set[str] = set()
    parts = [part.strip() for part in re.split(r"[,:]", pattern) if part.strip()]
    # As in Ansible: unions first, then intersections, then exclusions, wherever they stand.
    parts.sort(key=lambda part: {"&": 1, "!": 2}.get(part[0], 0))
    if parts and parts[0][0] in "&!":
        chosen = {host.name for host in hosts}
    for part in parts:
        names = {host.name for host in hosts if _matches_one(part.lstrip("&!"), host)}
        if part[0] == "&":
            chosen &= names
        elif part[0] == "!":
            chosen -= names
        else:
            chosen |= names
    return chosen


def _matches_one(part: str, host: Host) -> bool:
    names = (host.name, "all", *host.groups)
    if part.startswith("~"):
        return any(re.search(part[1:], name) for name in names)
    return any(fnmatch.fnmatchcase(name, part) for name in names)
