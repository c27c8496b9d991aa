"""A cluster: what an Ansible inventory directory says, without connecting anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.cluster.pattern import match
from toolkit.cluster.reader import EC2_FILE, Tree, Variable, read_tree, variable_files
from toolkit.cluster.specs import load_specs
from toolkit.errors import ToolkitError

GROUPS = ("metadata_db", "broker", "scheduler", "webserver", "worker")
"""The inventory groups that decide which component runs where."""


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
        chosen = match(self.limit, self.all_hosts)
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
        tree = read_tree(directory)
        if not tree.hosts:
            raise _no_host(directory)
        return cls._of(directory, tree)

    @classmethod
    def planned(cls, directory: Path, groups: Mapping[str, Iterable[str]]) -> Cluster:
        """The cluster that a directory's settings make of hosts that need not exist yet.

        Args:
            groups: host -> its groups.
        """
        tree = Tree(hosts={host: set(names) for host, names in groups.items()})
        tree.children = {name: set() for names in groups.values() for name in names}
        return cls._of(directory, tree)

    @classmethod
    def _of(cls, directory: Path, tree: Tree) -> Cluster:
        files = list(variable_files(directory, tree))
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


def _host(name: str, tree: Tree, files: list[Variable]) -> Host:
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
