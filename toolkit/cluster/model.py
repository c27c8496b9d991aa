"""A cluster: what an Ansible inventory directory says, without connecting anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.cluster import planner, tables
from toolkit.cluster.access import Access, refuse_wrong_login
from toolkit.cluster.answers import Evaluation
from toolkit.cluster.inventory import Inventory
from toolkit.cluster.pattern import match
from toolkit.cluster.reader import generated_file, read_tree, variable_files
from toolkit.cluster.specs import load_specs
from toolkit.cluster.tree import Tree
from toolkit.cluster.variables import (
    ALL,
    File,
    Layer,
    Reading,
    Scope,
    Variable,
    Variables,
)
from toolkit.cluster.vaultfile import Passwords
from toolkit.content import expanded
from toolkit.errors import Location, NoHostsError, ToolkitError


@dataclass(frozen=True)
class Host:
    """A host of the inventory with its merged variables; Jinja in them is not evaluated."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = field(repr=False)

    @cached_property
    def access(self) -> Access:
        """How it is logged in to, and how one becomes root there."""
        return Access(self.name, self.variables)

    @property
    def address(self) -> str:
        """Where SSH connects to, before its configuration is asked."""
        return self.access.address

    @property
    def base_address(self) -> str:
        """Where the other hosts of the cluster reach it."""
        return planner.address(self.name, self.variables)

    @property
    def port(self) -> int | None:
        """The SSH port; None leaves it to the SSH configuration."""
        return self.access.port

    @property
    def user(self) -> str | None:
        """The login user; None leaves it to the SSH configuration."""
        return self.access.user

    @property
    def key_file(self) -> Path | None:
        """The private key; None leaves it to the SSH agent and configuration."""
        return self.access.key_file

    @property
    def become_password(self) -> str | None:
        """The password for becoming root; None when none can be read here."""
        return self.access.become_password


@dataclass(frozen=True)
class Cluster:
    """All that the inventory says, its vault included, which is opened when it is needed.

    Attributes:
        inventory: its sources.
        inventory_hosts: every host of the inventory, whoever's it is.
        sources: where variables come from.
        members: group -> names of its hosts, in Ansible's order.
        group_names: the groups that the host lists name.
        hosts_file: what describes the hosts, for messages.
        unread: files beside the host lists that are none, with the reason.
        limit: the pattern that chooses the hosts in play.
    """

    inventory: Inventory
    inventory_hosts: tuple[Host, ...]
    sources: Variables = field(default_factory=Variables, repr=False)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_names: tuple[str, ...] = ()
    hosts_file: Path = Path("hosts.yml")
    unread: Mapping[Path, str] = field(default_factory=dict)
    limit: str | None = None

    @property
    def directory(self) -> Path:
        """The inventory's directory, where the cluster's own files are."""
        return self.inventory.home

    @property
    def name(self) -> str:
        """The directory's name, or the host list's in a directory of several."""
        return self.inventory.name

    @property
    def version(self) -> str:
        """Airflow's version, as airflow_version has it."""
        return str(self.setting("airflow_version"))

    @property
    def web(self) -> Host:
        """The first web server, which answers for all of them.

        Raises:
            IndexError: no host has the group, which a sound plan excludes.
        """
        return self.group("webserver")[0]

    @property
    def web_address(self) -> str:
        """Where users reach the web UI, without a slash at the end."""
        return str(self.web_server()["url"])

    def web_server(self, asking: Host | None = None) -> Mapping[str, Any]:
        """How the web server is reached by a host, else by the web server's own (airflow_web.py).

        Raises:
            ToolkitError: the release line is not supported, or a setting has no value that can be read.
        """
        line = tables.release_lines().get(self.version.partition(".")[0])
        if line is None:
            raise ToolkitError(f"Airflow {self.version} is not supported", fix="airflow_version: 3.3.2")  # fmt: skip
        web = self.web
        settings = {name: self.setting(name, web) for name in planner.WEB_SETTINGS}
        here = asking is None or asking.name == web.name
        return planner.web(settings, line, web.base_address, here)

    @cached_property
    def all_hosts(self) -> tuple[Host, ...]:
        """The cluster's hosts: those in a group of ours; no other host is ever touched."""
        ours = set(tables.groups())
        return tuple(host for host in self.inventory_hosts if not ours.isdisjoint(host.groups))

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts this run is about: all, or those that the limit leaves."""
        if self.limit is None:
            return self.all_hosts
        # As in Ansible: the pattern chooses from the whole inventory.
        names = tuple(host.name for host in self.inventory_hosts)
        chosen = match(self.limit, names, self.members)
        return tuple(host for host in self.all_hosts if host.name in chosen)

    def group(self, name: str) -> tuple[Host, ...]:
        """Every host of a group, whatever the limit: plans are about the whole cluster."""
        return self._hosts_of.get(name, ())

    def host(self, name: str) -> Host:
        """The host of that inventory name.

        Raises:
            KeyError: there is none.
        """
        return self._by_name[name]

    @cached_property
    def _by_name(self) -> Mapping[str, Host]:
        return {host.name: host for host in self.inventory_hosts}

    @cached_property
    def _hosts_of(self) -> Mapping[str, tuple[Host, ...]]:
        """Group -> its hosts; of each host the whole cluster is asked for again and again."""
        return {
            group: tuple(self.host(member) for member in members)
            for group, members in self.members.items()
        }

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """Group -> names of its hosts, as Ansible's variable of that name has them."""
        names = dict.fromkeys(name for host in self.all_hosts for name in host.groups)
        return {name: [host.name for host in self.group(name)] for name in names}

    @cached_property
    def executor(self) -> str:
        """Airflow's executor: Celery as soon as there is a worker host."""
        return planner.executor(self.groups)

    def setting(self, name: str, host: Host | None = None) -> Any:
        """A setting's value on a host (or for all): the inventory's, else the role's default.

        Raises:
            ToolkitError: it is a secret, and the vault's password is missing or wrong.
        """
        variables = self._of_all if host is None else host.variables
        if name in variables:
            return variables[name]
        spec = load_specs().get(name)
        return spec.default if spec else None

    @cached_property
    def _of_all(self) -> Mapping[str, Any]:
        return self.sources.of_all()

    @property
    def variables(self) -> tuple[Variable, ...]:
        """Every variable as it is written in the inventory.

        Raises:
            ToolkitError: a file is encrypted, and the password is missing or wrong.
        """
        return tuple(self.sources.everything())

    @property
    def vault(self) -> File:
        """The file that generated secrets are stored in; it need not exist yet."""
        return self.sources.vault

    def limited(self, pattern: str | None) -> Cluster:
        """The same cluster with only the hosts that an Ansible pattern names in play.

        Raises:
            ToolkitError: no host matches.
        """
        narrowed = replace(self, limit=pattern)
        if pattern is not None and not narrowed.hosts:
            raise ToolkitError(
                f"--limit {pattern} matches no host of {self.name}",
                where=str(self.directory),
                fix="use one of: " + ", ".join(host.name for host in self.all_hosts),
            )
        return narrowed

    @classmethod
    def load(cls, inventory: Inventory | Path) -> Cluster:
        """Read an inventory.

        Raises:
            ToolkitError: it does not exist, holds no hosts, or a file of it cannot be read.
        """
        inventory = inventory if isinstance(inventory, Inventory) else Inventory.of(inventory)
        passwords = Passwords(inventory.home)
        tree = read_tree(inventory, passwords)
        if not tree.hosts:
            unread = set(inventory.host_lists()) <= tree.unread.keys()
            raise NoHostsError(inventory.home, next(iter(tree.unread), None) if unread else None)
        return cls._of(inventory, tree, passwords, {})

    @classmethod
    def planned(
        cls,
        directory: Path,
        groups: Mapping[str, Iterable[str]],
        expected: Mapping[str, Any] | None = None,
    ) -> Cluster:
        """The cluster that a directory's settings make of hosts that need not exist yet.

        Args:
            groups: host -> its groups.
            expected: variables that the vault will have, beside those that are set by then.
        """
        tree = Tree(directory)
        for host, names in groups.items():
            for name in ("all", *names):
                tree.add_group(name)
                tree.add_host(host, name)
        inventory = Inventory((expanded(directory).resolve(),))
        return cls._of(inventory, tree, Passwords(inventory.home), expected or {})

    @classmethod
    def _of(
        cls,
        inventory: Inventory,
        tree: Tree,
        passwords: Passwords,
        expected: Mapping[str, Any],
    ) -> Cluster:
        reading = Reading(passwords, Evaluation(inventory, passwords))
        vault = generated_file(inventory, passwords)
        files: dict[Scope, Sequence[Layer]] = dict(variable_files(inventory, tree, passwords))
        same = [file for file in files[ALL] if isinstance(file, File) and file.path == vault.path]
        vault = next(iter(same), vault)
        to_come = [
            Variable(name, value, Location(vault.path), "all", True)
            for name, value in expected.items()
        ]
        # What is not there yet has no place among the others: it holds what nobody else says.
        files[ALL] = [*([] if same else [vault]), *files[ALL], Layer(to_come)]
        sources = Variables(tree.inline(), files, reading, vault)
        groups = {host: tree.groups_of(host) for host in tree.hosts}
        merged = {host: sources.of_host(host, of) for host, of in groups.items()}
        for host, variables in merged.items():
            refuse_wrong_login(host, variables)
        hosts = tuple(Host(name, groups[name], variables) for name, variables in merged.items())
        members = {group: tree.members(group) for group in tree.groups}
        named, described = tuple(tree.named), inventory.hosts_file
        return cls(inventory, hosts, sources, members, named, described, tree.unread)
