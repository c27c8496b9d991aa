"""The variables that say how to log in to a host and become root there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.cluster.variables import Merged, Variable
from toolkit.cluster.yamlfile import VaultedValue, is_template
from toolkit.errors import ToolkitError

BECOME_PASSWORDS = ("ansible_become_password", "ansible_become_pass", "ansible_sudo_pass")
"""Ansible's names for sudo's password; the last one that is set counts."""


@dataclass(frozen=True)
class _Form:
    """What a variable has to be: a test of its value, in words, and what to write."""

    fits: Callable[[Any], bool]
    words: str
    itself: str


def _is_port(value: Any) -> bool:
    digits = isinstance(value, int | str) and not isinstance(value, bool) and str(value).isdecimal()
    return digits and 1 <= int(value) <= 65535


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, int) and not isinstance(value, bool))


_FORMS: Mapping[str, _Form] = {
    "ansible_host": _Form(_is_text, "an address or a name", "the address itself: 203.0.113.7"),
    "ansible_port": _Form(_is_port, "a TCP port (1 to 65535)", "the number itself: 22"),
    "ansible_user": _Form(_is_name, "the name of a user", "the name itself: ubuntu"),
    "ansible_ssh_private_key_file": _Form(_is_text, "a path", "the path itself: ~/.ssh/id_ed25519"),
}


def refuse_wrong_login(host: str, variables: Merged) -> None:
    """Refuse what no connection can be made with.

    Raises:
        ToolkitError: a variable is a template or has a wrong form; says in which line.
    """
    for name, form in _FORMS.items():
        variable = variables.find(name)
        if variable is None or variable.value is None:
            continue
        wrong = _wrong(variable, form, variables.problem(name))
        if wrong:
            raise ToolkitError(
                f"{name} of host {host} {wrong}",
                where=variable.location,
                fix=f"write {form.itself}",
            )


def _wrong(variable: Variable, form: _Form, problem: str) -> str:
    value = variable.value
    if isinstance(value, VaultedValue):
        return "is encrypted with !vault, which is not read before a connection"
    if is_template(value):
        return f"is a template that has no value before a connection: {problem}"
    if not form.fits(value):
        shown = "the value in the vault" if variable.secret else repr(value)
        return f"has to be {form.words}, not {shown}"
    return ""


def become_password(variables: Mapping[str, Any]) -> str | None:
    """sudo's password; None when there is none that can be read here."""
    for name in reversed(BECOME_PASSWORDS):
        value = variables.get(name)
        if value is not None:
            readable = not isinstance(value, VaultedValue) and not is_template(value)
            return str(value) if readable else None
    return None
