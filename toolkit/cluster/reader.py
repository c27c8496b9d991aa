"""Reads an inventory directory.

Static YAML is read here, with line numbers and in a few milliseconds; importing Ansible's own
reader takes over a second. Whatever is not plain YAML (INI, plugins, scripts, host ranges) is
asked of `ansible-inventory`. A contract test compares the two readings.
"""

from __future__ import annotations

import configparser
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.cluster.tree import Tree
from toolkit.cluster.variables import ALL, File, Scope, Variable
from toolkit.cluster.vaultfile import vault_file
from toolkit.cluster.yamlfile import read_mapping
from toolkit.content import content_dir
from toolkit.errors import Location, ToolkitError

_ENDINGS = ("", ".yml", ".yaml", ".json")
"""Of files of variables, in the order in which Ansible looks for them; it takes the first."""


def ansible_config() -> Path:
    """The configuration that Ansible gets from us, and plain users from a checkout."""
    return content_dir() / "ansible.cfg"


@cache
def _ignored() -> re.Pattern[str]:
    """Names of files that are no host lists, by the configuration's section [inventory]."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(ansible_config().read_text(encoding="utf-8"))
    section = parser["inventory"]
    endings = [re.escape(text.strip()) + "$" for text in section["ignore_extensions"].split(",")]
    patterns = [text.strip() for text in section["ignore_patterns"].split(",")]
    return re.compile("|".join([r"^\.", *patterns, *endings]))


def read_tree(directory: Path) -> Tree:
    """Groups, hosts and inline variables of an inventory directory's host lists."""
    sources = [
        path
        for path in sorted(directory.iterdir())
        if path.is_file() and not _ignored().search(path.name)
    ]
    tree = Tree(directory)
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
    tree.add_group(group)
    body = {} if body is None else body
    unknown = set(body) - {"hosts", "children", "vars"} if isinstance(body, dict) else {"?"}
    if unknown or any(not isinstance(part or {}, dict) for part in body.values()):
        raise ToolkitError(
            f"group {group} has to consist of hosts:, children: and vars:, each with names below",
            where=location,
            fix=f"write {group}: {{hosts: {{h1: {{ansible_host: 203.0.113.7}}}}}}",
        )
    for part, content in body.items():  # in the file's order: of two values the later one counts
        for name, value in (content or {}).items():
            _PARTS[part](tree, group, str(name), value, location)


def _add_variable(tree: Tree, group: str, name: str, value: Any, location: Location) -> None:
    tree.set_variable(("group", group), Variable(name, value, location, group))


def _add_host(tree: Tree, group: str, host: str, variables: Any, location: Location) -> None:
    tree.add_host(host, group)
    if not isinstance(variables or {}, dict):
        raise ToolkitError(
            f"host {host} has to be followed by its variables, one `name: value` a line",
            where=location,
            fix=f"write {host}: {{ansible_host: 203.0.113.7}}",
        )
    for name, value in (variables or {}).items():
        tree.set_variable(("host", host), Variable(str(name), value, location, host))


def _add_child(tree: Tree, group: str, child: str, body: Any, location: Location) -> None:
    tree.add_child(group, child)
    _add_group(tree, child, body, location)


_PARTS = {"vars": _add_variable, "hosts": _add_host, "children": _add_child}


def variable_files(directory: Path, tree: Tree) -> Mapping[Scope, list[File]]:
    """The files of group_vars/ and host_vars/, in the order in which later ones win.

    Raises:
        ToolkitError: one that is not encrypted cannot be read.
    """
    scopes = [*(("group", name) for name in tree.groups), *(("host", name) for name in tree.hosts)]
    found = {scope: list(_files(directory, scope)) for scope in scopes}
    _add_vault(found[ALL], directory)
    for file in (file for files in found.values() for file in files if not file.encrypted):
        file.variables()
    return found


def _files(directory: Path, scope: Scope) -> Iterator[File]:
    kind, name = scope
    root = directory / f"{kind}_vars"
    if not name or name.startswith("/"):  # as Ansible: a path of a chroot is no name of a file
        return
    candidates = [root / f"{name}{ending}" for ending in _ENDINGS]
    found = [path for path in candidates if root.is_dir() and path.exists()]
    if len(found) > 1:
        raise ToolkitError(
            f"Ansible reads {found[0].name} alone, and leaves out {found[1].name} beside it",
            where=str(root),
            fix=f"mv {found[1]} {found[0]}/" if found[0].is_dir() else "remove one of the two",
        )
    for entry in found:
        for path in _below(entry) if entry.is_dir() else [entry]:
            yield File(path, name, directory)


def _below(folder: Path) -> Iterator[Path]:
    """The files of variables in a folder, as Ansible finds them."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir() and not entry.suffix:
            yield from _below(entry)
        elif entry.is_file() and entry.suffix in _ENDINGS:
            yield entry


def _add_vault(files: list[File], directory: Path) -> None:
    """Give the vault its place among the files for all hosts; it may be written later."""
    path = vault_file(directory)
    if all(file.path != path for file in files):
        files.append(File(path, "all", directory))
        files.sort(key=lambda file: file.path.parts)


def _ask_ansible(directory: Path) -> Tree:
    """Read an inventory that is not plain YAML with Ansible's own reader."""
    command = [sys.executable, "-m", "ansible.cli.inventory", "-i", str(directory), "--list"]
    command.append("--export")  # variables of groups stay with the groups
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ansible_config()),
        # Files of variables are read here: with line numbers, and without the vault's password.
        "ANSIBLE_VARS_ENABLED": "",
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
    tree, whole = Tree(directory), Location(directory)
    groups = {name: body for name, body in listing.items() if name != "_meta"}
    for group, body in groups.items():
        tree.add_group(group)
        for child in body.get("children", ()):
            tree.add_child(group, child)
        for host in body.get("hosts", ()):
            tree.add_host(host, group)
        for name, value in body.get("vars", {}).items():
            tree.set_variable(("group", group), Variable(name, value, whole, group))
    for host, variables in listing["_meta"]["hostvars"].items():
        tree.add_host(host)
        for name, value in variables.items():
            tree.set_variable(("host", host), Variable(name, value, whole, host))
    return tree


def _plain(value: dict[str, Any]) -> Any:
    """What came from outside, such as an API, is marked by Ansible as no template."""
    return value["__ansible_unsafe"] if set(value) == {"__ansible_unsafe"} else value
