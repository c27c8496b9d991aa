"""A program that asks Ansible's own libraries about an inventory; answers.py runs it.

It gets JSON on standard input, as answers.py makes it, and prints JSON: groups, hosts and their inline
variables, or the values that templates come to.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_WRITES = re.compile(r"""(?:lookup|query|q)\(\s*['"](?:ansible\.builtin\.)?password['"]""")
"""A lookup that makes a file: to read an inventory must change nothing."""
_TELLING = 4
"""Characters; a shorter text of a vault is found by chance."""


def main() -> None:
    """Answer one question."""
    asked = json.load(sys.stdin)
    from ansible.errors import AnsibleError

    try:
        answer = evaluated(asked) if asked["evaluate"] else structure(asked)
    except AnsibleError as error:
        answer = {"error": _sentence(error)}
    # Ansible's own messages went to standard output or error before; this is the last line.
    sys.stdout.write("\n" + json.dumps(answer))


def structure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Groups and hosts with what the host lists say of them, nothing evaluated."""
    inventory, _, _, told = _read(asked)
    return {
        "groups": {
            name: {
                "children": [child.name for child in group.child_groups],
                "hosts": [host.name for host in group.hosts],
                "vars": {key: _written(value) for key, value in group.vars.items()},
                "priority": group.priority,
            }
            for name, group in inventory.groups.items()
        },
        "hosts": {
            host.name: {
                key: _written(value)
                for key, value in host.vars.items()
                if key not in ("inventory_file", "inventory_dir")
            }
            for host in inventory.hosts.values()
        },
        "computed": sorted(
            {name for _, name in told.computed} - {name for _, name in told.written}
        ),
        "unread": told.unread,
    }


def evaluated(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the templates in settings and connection variables come to, for each host and for all.

    What cannot be evaluated yet, such as a fact, is left out, with the reason among the problems.
    """
    from ansible.inventory.host import Host
    from ansible.vars.hostvars import HostVars
    from ansible.vars.plugins import get_vars_from_inventory_sources

    inventory, variables, loader, _ = _read(asked)
    HostVars(inventory=inventory, variable_manager=variables, loader=loader)  # known from here on
    settings, found = frozenset(asked["settings"]), _Found()
    context: Any = None
    for host in inventory.hosts.values():
        merged = variables.get_vars(host=host)
        context = merged if context is None else context
        found.add(host.name, _templates(merged, settings), merged, loader)
    whole = inventory.groups["all"]
    merged = {
        **whole.vars,
        **get_vars_from_inventory_sources(loader, asked["sources"], [whole], "task"),
    }
    context = variables.get_vars(host=Host("localhost")) if context is None else context
    found.add("", _templates(merged, settings), context, loader)
    hidden = {text for path in asked["encrypted"] for text in _texts(loader.load_from_file(path))}
    hidden |= set(
        _inline_secrets(variables.get_vars(host=host) for host in inventory.hosts.values())
    )
    shown = "\0".join(_texts([found.values, found.problems]))
    private = any(text in shown for text in hidden if len(text) >= _TELLING)
    return {"values": found.values, "problems": found.problems, "private": private}


def _inline_secrets(scopes: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    from ansible.parsing.vault import EncryptedString

    for merged in scopes:
        yield from (str(value) for value in _leaves(merged) if isinstance(value, EncryptedString))


def _texts(value: Any) -> Iterable[str]:
    return (str(leaf) for leaf in _leaves(value) if leaf is not None)


def _leaves(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        value = [*value.values()]
    if not isinstance(value, list | tuple):
        yield value
        return
    for inner in value:
        yield from _leaves(inner)


class _Found:
    """Values and problems by host ("" is for all) and name."""

    def __init__(self) -> None:
        self.values: dict[str, dict[str, Any]] = {}
        self.problems: dict[str, dict[str, str]] = {}

    def add(self, host: str, wanted: Mapping[str, Any], context: Any, loader: Any) -> None:
        """Evaluate values in the context of a host's variables."""
        from ansible.template import Templar

        templar = Templar(loader=loader, variables=context)
        for name, value in wanted.items():
            try:
                # A round trip through JSON drops Ansible's marks, and finds what is not data.
                plain = json.loads(json.dumps(templar.template(value)))
                self.values.setdefault(host, {})[name] = plain
            except Exception as error:  # whatever a lookup or filter raises
                self.problems.setdefault(host, {})[name] = _sentence(error)


def _read(asked: Mapping[str, Any]) -> tuple[Any, Any, Any, _Told]:
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import VaultSecret, VaultSecretsContext
    from ansible.plugins.loader import init_plugin_loader
    from ansible.vars.manager import VariableManager

    init_plugin_loader()  # without it there are no collections, such as the one of EC2's plugin
    loader = DataLoader()
    known = [(label, VaultSecret(text.encode("latin-1"))) for label, text in asked["passwords"]]
    VaultSecretsContext.initialize(VaultSecretsContext(known))
    loader.set_vault_secrets(known)
    loader.set_basedir(asked["playbooks"])  # as where the playbook is
    told = _Told()
    inventory = _inventory(loader, asked, told)
    return inventory, VariableManager(loader=loader, inventory=inventory), loader, told


class _Told:
    """What is found out about the files while they are read.

    Attributes:
        unread: files that no plugin reads and that nobody means as host lists, with the reason.
        computed: host or group, and name, of each variable that a program set first.
        written: the same of the others.
    """

    def __init__(self) -> None:
        self.unread: dict[str, str] = {}
        self.computed: set[tuple[str, str]] = set()
        self.written: set[tuple[str, str]] = set()


def _inventory(loader: Any, asked: Mapping[str, Any], told: _Told) -> Any:
    """Ansible's inventory; of a file that none of its plugins reads it only warns, and goes on.

    Here that is an error where somebody means the file as a host list: its hosts would be missing, and
    what is missing is taken for a host that left.
    """
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.utils.display import Display

    reasons: list[str] = []
    display = Display()

    def _keep(msg: str | None = None, exception: BaseException | None = None, **_: Any) -> None:
        plugin = re.match(r"Failed to parse inventory with '([^']*)'", msg or "")
        reason = _unquoted(_sentence(exception, 300)) if plugin and exception else ""
        # Each YAML file that is a plain list has no root 'plugin' key.
        if plugin and exception and "no root 'plugin' key" not in reason:
            reasons.append(f"{plugin[1]}: {reason}{_line(exception)}")

    class Strict(InventoryManager):  # type: ignore[misc]
        def parse_source(self, source: str, cache: bool = False) -> bool:
            if not Path(source).is_file():
                return bool(super().parse_source(source, cache=cache))
            if source not in asked["lists"]:
                return False
            reasons.clear()
            known, warn = self._names(), display.error_as_warning
            display.error_as_warning = _keep
            try:
                parsed = bool(super().parse_source(source, cache=cache))
            finally:
                display.error_as_warning = warn
            fresh = self._names() - known
            (told.computed if source in asked["programs"] else told.written).update(fresh)
            if not parsed and source in asked["meant"]:
                said = "; ".join(reasons).replace(source, "it") or "they decline it"
                if source in asked["vaulted"]:  # a reason quotes what it stumbles over
                    said = "it is encrypted, so that the reason is not shown"
                raise AnsibleError(f"none of its plugins reads {source} ({said})")
            if not parsed:
                told.unread[source] = "none of Ansible's plugins reads it to its end"
            return parsed

        def _names(self) -> set[tuple[str, str]]:
            """Every variable that is set by now, with its host or group."""
            scopes = (*self.groups.values(), *self.hosts.values())
            return {(scope.name, name) for scope in scopes for name in scope.vars}

    return Strict(loader=loader, sources=asked["sources"])


def _unquoted(reason: str) -> str:
    """A reason without what follows in it from the line that is wrong: that can be a password."""
    return re.sub(r",? got: .*|(?<=host definition) .*", "", reason).rstrip(".")


def _line(error: BaseException) -> str:
    """Where the INI plugin stopped; it forgets the number itself before it tells of the error."""
    cause = error.__cause__ or error
    for frame, _ in traceback.walk_tb(cause.__traceback__):
        found = frame.f_locals
        if frame.f_code.co_name != "_parse" or "lines" not in found:
            continue
        if "decl" in found:  # a group that is named and never declared
            return f", line {found['decl']['line']}"
        if "line" in found:
            lines = [line.strip() for line in found["lines"]]
            number = lines.index(found["line"].strip()) + 1
            return f", line {number}"
    return ""


def _templates(merged: Mapping[str, Any], settings: Iterable[str]) -> dict[str, Any]:
    """The variables that matter before a connection and are templates."""
    return {
        name: value
        for name, value in merged.items()
        if (name in settings or name.startswith("ansible_")) and _is_template(value)
    }


def _is_template(value: Any) -> bool:
    from ansible.template import is_trusted_as_template

    if isinstance(value, str):
        marked = "{{" in value or "{%" in value or "{#" in value
        return marked and is_trusted_as_template(value) and not _WRITES.search(value)
    if isinstance(value, Mapping):
        return any(map(_is_template, (*value.keys(), *value.values())))
    return isinstance(value, list | tuple) and any(map(_is_template, value))


def _written(value: Any) -> Any:
    """A value as JSON data; {"vault": text} and {"unsafe": text} are what YAML's tags say."""
    from ansible.parsing.vault import VaultHelper
    from ansible.template import is_trusted_as_template

    ciphertext = VaultHelper.get_ciphertext(value, with_tags=False)
    if ciphertext is not None:
        return {"__vault": str(ciphertext)}
    if isinstance(value, str):
        marked = ("{{" in value or "{%" in value) and not is_trusted_as_template(value)
        return {"__unsafe": str(value)} if marked else str(value)
    if isinstance(value, Mapping):
        return {str(key): _written(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_written(inner) for inner in value]
    return value if isinstance(value, bool | int | float) or value is None else str(value)


def _sentence(error: BaseException, most: int = 2000) -> str:
    return " ".join(str(error).split())[:most]


if __name__ == "__main__":
    main()
