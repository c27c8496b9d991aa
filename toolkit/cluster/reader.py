"""Reads the host lists of an inventory, and finds its files of variables.

Static YAML is read here, with line numbers and in a few milliseconds. Whatever is not plain YAML (INI,
plugins, scripts, host ranges) is Ansible's to read. A contract test compares the two readings.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.cluster.answers import structure
from toolkit.cluster.host_list import HostList, host_lists
from toolkit.cluster.inventory import Inventory
from toolkit.cluster.tree import PRIORITY, Tree
from toolkit.cluster.variables import File, HostListVault, Scope, Variable
from toolkit.cluster.vaultfile import Passwords, vault_file
from toolkit.cluster.yamlfile import UnsafeText, VaultedValue, read_mapping
from toolkit.errors import Location, ToolkitError

_ENDINGS = ("", ".yml", ".yaml", ".json")
"""Of files of variables, in the order in which Ansible looks for them; it takes the first."""


def read_tree(inventory: Inventory, passwords: Passwords) -> Tree:
    """Groups, hosts and inline variables of an inventory's host lists.

    Raises:
        ToolkitError: one of them cannot be read.
    """
    every = host_lists(inventory, passwords)
    # A playbook among them, say; but where there is nothing else it is a host list with a mistake.
    lists = [one for one in every if not one.is_other] or every
    unread = {one.path: "it is no mapping with groups" for one in every if one not in lists}
    # Read here first in any case: Ansible takes the last of two equal keys, and says nothing.
    contents = {one.path: read_mapping(one.path) for one in lists if one.is_plain}
    tree = Tree(inventory.home)
    if len(contents) == len(lists) and not any("plugin" in found for found in contents.values()):
        for content in contents.values():
            for group, (body, location) in content.items():
                _add_group(tree, group, body, location)
        tree.unread = unread
        # A range, or a port behind the name.
        if not any("[" in host or ":" in host for host in tree.hosts):
            return tree
    return _by_ansible(inventory, lists, unread, passwords)


def _add_group(tree: Tree, group: str, body: Any, location: Location) -> None:
    tree.add_group(group)
    body = {part: {names: None} if isinstance(names, str) and part != "vars" else names
            for part, names in body.items()} if isinstance(body, dict) else body or {}  # fmt: skip
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


def variable_files(
    inventory: Inventory, tree: Tree, passwords: Passwords
) -> Mapping[Scope, list[File]]:
    """The files of group_vars/ and host_vars/, in the order in which later ones win.

    Raises:
        ToolkitError: one that is not encrypted cannot be read.
    """
    scopes = [*(("group", name) for name in tree.groups), *(("host", name) for name in tree.hosts)]
    vault = vault_file(inventory.home)
    found = {
        scope: [
            File(path, scope[1], passwords, secret=path == vault)
            for root in inventory.roots
            for path in _files(root, scope)
        ]
        for scope in scopes
    }
    for file in (file for files in found.values() for file in files if not file.encrypted):
        file.variables()
    return found


def generated_file(inventory: Inventory, passwords: Passwords) -> File:
    """The file that generated secrets are stored in; it need not exist yet."""
    path = vault_file(inventory.home)
    others = [found for found in _candidates(path.parent.parent, "all")[:1] if not found.is_dir()]
    if inventory.generated.exists() or (
        not path.exists() and (others or inventory.shares_directory)
    ):
        return HostListVault(inventory.generated, "all", passwords, secret=True)
    return File(path, "all", passwords, secret=True)


def hidden_files(inventory: Inventory) -> Iterator[tuple[Path, Path]]:
    """Files of variables that Ansible leaves out, each with the file or folder beside it that it reads."""
    for root in inventory.roots:
        for kind in ("group_vars", "host_vars"):
            folder = root / kind
            names = {
                path.stem if path.suffix in _ENDINGS[1:] else path.name for path in _entries(folder)
            }
            for name in sorted(names):
                first, *others = _candidates(folder, name) or [folder]
                yield from ((other, first) for other in others)


def _entries(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _candidates(folder: Path, name: str) -> list[Path]:
    return [path for ending in _ENDINGS if (path := folder / f"{name}{ending}").exists()]


def _files(root: Path, scope: Scope) -> Iterator[Path]:
    kind, name = scope
    folder = root / f"{kind}_vars"
    # As Ansible: a path of a chroot is no name of a file.
    if not name or name.startswith("/") or not folder.is_dir():
        return
    for first in _candidates(folder, name)[:1]:
        yield from _below(first) if first.is_dir() else [first]


def _below(folder: Path) -> Iterator[Path]:
    """The files of variables in a folder, as Ansible finds them."""
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or entry.name.endswith("~"):
            continue
        if entry.is_dir() and not entry.suffix:
            yield from _below(entry)
        elif entry.is_file() and entry.suffix in _ENDINGS:
            yield entry


def _by_ansible(
    inventory: Inventory,
    lists: Sequence[HostList],
    unread: Mapping[Path, str],
    passwords: Passwords,
) -> Tree:
    """Read an inventory that is not plain YAML with Ansible's own reader."""
    listing = structure(inventory, lists, passwords)
    tree = Tree(inventory.home)
    tree.unread = {**unread, **{Path(path): why for path, why in listing["unread"].items()}}
    # Which of several files it is from is not known.
    whole = Location(lists[0].path if len(lists) == 1 else inventory.sources[0])
    secret, computed = any(one.is_vaulted for one in lists), set(listing["computed"])

    def variable(name: str, value: Any, scope: str) -> Variable:
        return Variable(name, _marked(value), whole, scope, secret, computed=name in computed)

    for host in listing["hosts"]:  # their order counts in patterns
        tree.hosts.setdefault(host)
    for group, body in listing["groups"].items():
        tree.add_group(group)
        for child in body["children"]:
            tree.add_child(group, child)
        for host in body["hosts"]:
            tree.add_host(host, group)
        for name, value in body["vars"].items():
            tree.set_variable(("group", group), variable(name, value, group))
        tree.set_variable(("group", group), variable(PRIORITY, body["priority"], group))
    for host, variables in listing["hosts"].items():
        for name, value in variables.items():
            tree.set_variable(("host", host), variable(name, value, host))
    return tree


def _marked(value: Any) -> Any:
    """A value of in_ansible.py's answer, with the marks that YAML's tags give it here."""
    if isinstance(value, dict):
        if set(value) == {"__vault"}:
            return VaultedValue(value["__vault"])
        if set(value) == {"__unsafe"}:
            return UnsafeText(value["__unsafe"])
        return {key: _marked(inner) for key, inner in value.items()}
    return [_marked(inner) for inner in value] if isinstance(value, list) else value
