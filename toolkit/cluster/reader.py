"""Reads an inventory directory.

Static YAML is read here, with line numbers and in a few milliseconds; importing Ansible's own
reader takes over a second. Whatever is not plain YAML (INI, plugins, scripts, host ranges) is
asked of `ansible-inventory`. A contract test holds the two readings against each other.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.cluster.yamlfile import is_vaulted, read_mapping
from toolkit.errors import Location, ToolkitError

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


@dataclass
class Tree:
    """Groups and hosts while they are read; `children` has every group that is named."""

    hosts: dict[str, set[str]] = field(default_factory=dict)  # host -> groups it stands in
    children: dict[str, set[str]] = field(default_factory=dict)  # group -> groups below it
    variables: list[Variable] = field(default_factory=list)

    def parents(self, group: str) -> set[str]:
        """Every group above a group."""
        direct = {name for name, below in self.children.items() if group in below}
        return direct.union(*(self.parents(name) for name in direct))

    def groups_of(self, host: str) -> list[str]:
        """Its groups, the farthest ancestors first, as Ansible merges them."""
        found = set(self.hosts[host])
        for group in tuple(found):
            found |= self.parents(group)
        found.discard("all")
        return sorted(found, key=lambda group: (len(self.parents(group) - {"all"}), group))


def read_tree(directory: Path) -> Tree:
    """Groups, hosts and inline variables of an inventory directory's host lists."""
    sources = [
        path
        for path in sorted(directory.iterdir())
        if path.is_file()
        and not path.name.startswith(".")
        and path.name not in (*NOT_INVENTORY, EC2_FILE)
        and not path.name.endswith(IGNORED_ENDINGS)
    ]
    tree = Tree()
    if all(path.suffix in {".yml", ".yaml"} for path in sources):
        contents = {path: read_mapping(path) for path in sources}
        if not any("plugin" in content for content in contents.values()):
            for content in contents.values():
                for group, (body, location) in content.items():
                    _add_group(tree, group, body, location)
            if not any("[" in host for host in tree.hosts):
                return tree
    return _ask_ansible(directory)


def _add_group(tree: Tree, group: str, body: Any, location: Location) -> None:
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


def variable_files(directory: Path, tree: Tree) -> Iterator[Variable]:
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


def _ask_ansible(directory: Path) -> Tree:
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
    tree = Tree()
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
