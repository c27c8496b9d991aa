"""How a host is logged in to and how one becomes root there, as Ansible understands its variables."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.cluster.login import BECOME, CONNECTIONS, METHODS, OPTIONS, ROOT, Form, Option, as_bool
from toolkit.cluster.variables import Merged, Variable
from toolkit.cluster.yamlfile import VaultedValue, is_template
from toolkit.content import expanded
from toolkit.errors import Location, ToolkitError

_PKCS11 = "ansible_ssh_pkcs11_provider"
_SHELL = "ansible_shell_type"
_NAMES = frozenset(
    name
    for table in (OPTIONS, *BECOME.values())
    for option in table.values()
    for name in option.variables
)
_PARAMIKO = re.compile("ansible_paramiko_(?!use_)")


@dataclass(frozen=True)
class Found:
    """The value that counts, and the name (of a variable or in the environment) that has it."""

    name: str
    value: Any


class Access:
    """How one host is logged in to, as Ansible understands its variables.

    Every property is what the inventory or the environment says; None leaves it to SSH's own
    configuration. A password that cannot be read here is None as well.

    Args:
        name: the host's inventory name.
        variables: its merged variables.
    """

    def __init__(self, name: str, variables: Mapping[str, Any]) -> None:
        self.name = name
        self._all = variables
        self._set = _NAMES.intersection(variables)
        self._values: dict[str, Any] = {}

    def find(self, option: Option) -> Found | None:
        """The value of an option, and what sets it."""
        for ask, names in (
            (self._value, option.variables),
            (os.environ.get, option.environment),
        ):
            for name in reversed(names):
                value = ask(name)
                if value is not None:
                    return Found(name, value)
        return None

    def _value(self, name: str) -> Any:
        # Read once: a question to an inventory's variables goes through all of its files; and only
        # when it is asked: the value may be in a vault.
        if name in self._set and name not in self._values:
            self._values[name] = self._all[name]
        return self._values.get(name)

    def found(self) -> Iterator[tuple[Option, Found]]:
        """All that is set and matters to this host: of become methods its own, and no other's.

        Secrets are left out: they have no form, and are not read before they are needed.
        """
        for option in (*OPTIONS.values(), *BECOME.get(self.become_method, {}).values()):
            found = None if option.form.secret else self.find(option)
            if found:
                yield option, found

    def _text(self, option: Option) -> str | None:
        found = self.find(option)
        if found is None:
            return None
        unread = isinstance(found.value, VaultedValue) or is_template(found.value)
        return None if option.form.secret and unread else str(found.value)

    @cached_property
    def local(self) -> bool:
        """Whether the host is this machine, so that no SSH is needed."""
        return CONNECTIONS.get(self.connection) == "local"

    @cached_property
    def connection(self) -> str:
        """Ansible's name of the connection plugin."""
        return self._text(OPTIONS["connection"]) or "ssh"

    @property
    def address(self) -> str:
        """Where SSH connects to, before its configuration is asked."""
        return self._text(OPTIONS["host"]) or self.name

    @property
    def port(self) -> int | None:
        """The SSH port."""
        port = self._text(OPTIONS["port"])
        return None if port is None else int(port)

    @cached_property
    def user(self) -> str | None:
        """The login user; on this machine whoever runs the toolkit."""
        return _me() if self.local else self._text(OPTIONS["remote_user"])

    @property
    def key_file(self) -> Path | None:
        """The private key."""
        path = self._text(OPTIONS["private_key_file"])
        return expanded(path) if path else None

    @property
    def key_text(self) -> str | None:
        """A private key that is in the inventory itself (ansible_private_key)."""
        return self._text(OPTIONS["private_key"])

    @property
    def key_passphrase(self) -> str | None:
        """The passphrase of that key."""
        return self._text(OPTIONS["private_key_passphrase"])

    @property
    def password(self) -> str | None:
        """The login user's password."""
        return self._text(OPTIONS["password"])

    @property
    def ssh_program(self) -> str:
        """The SSH client that Ansible uses."""
        return self._text(OPTIONS["ssh_executable"]) or "ssh"

    def ssh_arguments(self, name: str) -> str:
        """One of ssh_args, ssh_common_args and ssh_extra_args; "" where it is not set."""
        return self._text(OPTIONS[name]) or ""

    @property
    def timeout(self) -> float | None:
        """Seconds for a connection."""
        seconds = self._text(OPTIONS["timeout"])
        return None if seconds is None else float(seconds)

    @property
    def checks_host_key(self) -> bool:
        """Whether an unknown or another host key matters."""
        return as_bool(self._text(OPTIONS["host_key_checking"])) is not False

    @property
    def becomes(self) -> bool:
        """Whether tasks run as root by a become method; plays say so, unless a variable does not."""
        return as_bool(self._text(OPTIONS["become"])) is not False

    @cached_property
    def become_method(self) -> str:
        """sudo, su or doas, without the collection that it comes from."""
        name = self._text(OPTIONS["become_method"]) or "sudo"
        return re.sub(r"^(ansible\.builtin|community\.general)\.", "", name)

    def _of_method(self, option: str) -> str | None:
        return self._text(BECOME[self.become_method][option])

    @property
    def become_user(self) -> str:
        """Whom tasks become."""
        return self._of_method("become_user") or ROOT

    @property
    def become_program(self) -> str:
        """The become method's program."""
        return self._of_method("become_exe") or self.become_method

    @property
    def become_flags(self) -> str:
        """The become method's arguments; "" where none are set."""
        return self._of_method("become_flags") or ""

    @property
    def become_password(self) -> str | None:
        """The password that the become method asks for."""
        return self._of_method("become_pass")


def _me() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user whom only a number names, as in a container
        return str(os.geteuid())


def refuse_wrong_login(host: str, variables: Merged) -> None:
    """Refuse what no connection can be made with, or not as Ansible would.

    Raises:
        ToolkitError: a variable is a template, has a wrong form or asks for what is not supported;
            says in which line.
    """
    access = Access(host, variables)
    for option, found in access.found():
        variable = _written(found, variables)
        wrong = _wrong(variable, option.form, variables) if variable else ""
        if variable and wrong:
            raise ToolkitError(
                f"{variable.name} of host {host} {wrong}",
                where=variable.location,
                fix=f"write {option.form.itself}",
            )
    for name, what, fix in _unsupported(access, variables):
        variable = variables.find(name)
        where = variable.location if variable else f"the environment variable {name}"
        raise ToolkitError(f"{name} of host {host} {what}", where=where, fix=fix)


def _written(found: Found, variables: Merged) -> Variable | None:
    if found.name.startswith("ANSIBLE_"):
        place = Location(Path(f"the environment variable {found.name}"))
        return Variable(found.name, found.value, place, "all")
    return variables.find(found.name)


def _wrong(variable: Variable, form: Form, variables: Merged) -> str:
    value = variable.value
    if isinstance(value, VaultedValue):
        return "is encrypted with !vault, which is not read before a connection"
    if is_template(value):
        return f"is a template that has no value before a connection: {variables.problem(variable.name)}"
    if not form.fits(value):
        shown = "the value in the vault" if variable.secret else repr(value)
        return f"has to be {form.words}, not {shown}"
    return ""


def _unsupported(access: Access, variables: Merged) -> Iterator[tuple[str, str, str]]:
    """The name of a variable, what about it is not supported, and what to write instead."""
    yield from _connections(access, variables)
    if access.user == ROOT:
        return
    method = access.find(OPTIONS["become_method"])
    if access.become_method not in METHODS:
        assert method
        said = f"is {method.value}, a become method that is not supported"
        yield method.name, said, f"use one of {', '.join(METHODS)}, or log in as root"
        return
    if not access.becomes:
        said = f"forbids user {access.user or 'of the login'} to become root, whom all of it needs"
        yield "ansible_become", said, "remove it, or log in as root"
    user = access.find(BECOME[access.become_method]["become_user"])
    if user and access.become_user != ROOT:
        said = f"is {user.value}, but packages, users and units are root's business"
        yield user.name, said, f"remove it, or write {user.name}: root"


def _connections(access: Access, variables: Merged) -> Iterator[tuple[str, str, str]]:
    found = access.find(OPTIONS["connection"])
    if found and access.connection not in CONNECTIONS:
        said = f"is {found.value}, which is not supported"
        yield found.name, said, "write ssh, or local for the machine that the toolkit runs on"
    if "paramiko" in access.connection:
        for name in variables:
            if _PARAMIKO.match(name):
                plain = _PARAMIKO.sub("ansible_", name)
                yield name, "is read by Ansible's paramiko_ssh alone", f"write {plain}"
    if not access.local and variables.get(_PKCS11):
        said = "names a token, which is reached through an SSH agent here"
        yield _PKCS11, said, f"remove it, and: ssh-add -s {variables[_PKCS11]}"
    if variables.get(_SHELL) not in (None, "sh"):
        said = f"is {variables[_SHELL]}, but hosts have to have a POSIX shell"
        yield _SHELL, said, "remove it"
