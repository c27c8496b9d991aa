"""A cluster: what an Ansible inventory directory says, without connecting anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.cluster import planner
from toolkit.cluster.login import become_password, refuse_wrong_login
from toolkit.cluster.pattern import match
from toolkit.cluster.reader import read_tree, variable_files
from toolkit.cluster.specs import load_specs
from toolkit.cluster.tree import Tree
from toolkit.cluster.variables import ALL, File, Layer, Scope, Variable, Variables
from toolkit.cluster.vaultfile import vault_file
from toolkit.content import expanded
from toolkit.errors import Location, NoHostsError, ToolkitError


@dataclass(frozen=True)
class Host:
    """A host of the inventory with its merged variables; Jinja in them is not evaluated."""

    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any] = field(repr=False)

    @property
    def address(self) -> str:
        """Where SSH connects to."""
        return str(self.variables.get("ansible_host") or self.name)

    @property
    def base_address(self) -> str:
        """Where the other hosts of the cluster reach it."""
        return planner.address(self.name, self.variables)

    @property
    def port(self) -> int | None:
        """The SSH port; None leaves it to the SSH configuration."""
        port = self.variables.get("ansible_port")
        return None if port is None else int(port)

    @property
    def user(self) -> str | None:
        """The login user; None leaves it to the SSH configuration."""
        user = self.variables.get("ansible_user")
        return None if user is None else str(user)

    @property
    def key_file(self) -> Path | None:
        """The private key; None leaves it to the SSH agent and configuration."""
        path = self.variables.get("ansible_ssh_private_key_file")
        return None if path is None else expanded(str(path))

    @property
    def become_password(self) -> str | None:
        """sudo's password; None when the inventory has none that can be read here."""
        return become_password(self.variables)


@dataclass(frozen=True)
class Cluster:
    """All that the inventory says, its vault included, which is opened when it is needed.

    Attributes:
        directory: the inventory's.
        all_hosts: the cluster's hosts; `hosts` are those in play.
        sources: where variables come from.
        members: group -> names of its hosts, in Ansible's order.
        group_names: the groups that the host lists name.
        hosts_file: what describes the hosts, for messages.
        limit: the pattern that chooses the hosts in play.
    """

    directory: Path
    all_hosts: tuple[Host, ...]
    sources: Variables = field(default_factory=Variables, repr=False)
    members: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    group_names: tuple[str, ...] = ()
    hosts_file: Path = Path("hosts.yml")
    limit: str | None = None

    @property
    def name(self) -> str:
        """The directory's name."""
        return self.directory.name

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
        """Where users reach the web UI."""
        port = self.setting("airflow_web_port", self.web)
        chosen = self.setting("airflow_base_url")
        return str(chosen or f"http://{self.web.base_address}:{port}")

    @cached_property
    def hosts(self) -> tuple[Host, ...]:
        """The hosts this run is about: all, or those that the limit leaves."""
        if self.limit is None:
            return self.all_hosts
        chosen = match(self.limit, tuple(host.name for host in self.all_hosts), self.members)
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
        return {host.name: host for host in self.all_hosts}

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
        path = vault_file(self.directory)
        return next(
            layer
            for layer in self.sources.files[ALL]
            if isinstance(layer, File) and layer.path == path
        )

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
        directory = expanded(directory).resolve()
        if not directory.is_dir():
            raise ToolkitError(
                f"there is no inventory directory {directory}",
                fix=f"toolkit init {directory} --sample single --host all=USER@ADDRESS",
            )
        tree = read_tree(directory)
        if not tree.hosts:
            raise NoHostsError(directory)
        return cls._of(directory, tree, {})

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
        return cls._of(directory, tree, expected or {})

    @classmethod
    def _of(cls, directory: Path, tree: Tree, expected: Mapping[str, Any]) -> Cluster:
        files: dict[Scope, Sequence[Layer]] = dict(variable_files(directory, tree))
        place = Location(vault_file(directory))
        to_come = [Variable(name, value, place, "all", True) for name, value in expected.items()]
        files[ALL] = [*files[ALL], Layer(to_come)]
        sources = Variables(tree.inline(), files)
        groups = {host: tree.groups_of(host) for host in tree.hosts}
        merged = {host: sources.of_host(host, of) for host, of in groups.items()}
        for host, variables in merged.items():
            refuse_wrong_login(host, variables)
        hosts = tuple(Host(name, groups[name], variables) for name, variables in merged.items())
        members = {group: tree.members(group) for group in tree.groups}
        return cls(directory, hosts, sources, members, tuple(tree.named), directory / "hosts.yml")
