"""How to log in to a host and become root there: Ansible's variables, and what they come to."""

from __future__ import annotations

import os
import pwd
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.cluster.variables import Merged, Variable
from toolkit.cluster.yamlfile import VaultedValue, is_template
from toolkit.errors import Location, ToolkitError

ROOT = "root"
SSH_ARGS = "-C -o ControlMaster=auto -o ControlPersist=60s"
"""Ansible's arguments for ssh where none are set; none of them matters to how a host is found."""


@dataclass(frozen=True)
class _Form:
    """What a variable has to be: a test of its value, in words, and what to write."""

    fits: Callable[[Any], bool]
    words: str
    itself: str
    secret: bool = False


def _is_port(value: Any) -> bool:
    digits = isinstance(value, int | str) and not isinstance(value, bool) and str(value).isdecimal()
    return digits and 1 <= int(value) <= 65535


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_name(value: Any) -> bool:
    return _is_text(value) or (isinstance(value, int) and not isinstance(value, bool))


def _is_words(value: Any) -> bool:
    try:
        return isinstance(value, str) and shlex.split(value) is not None
    except ValueError:
        return False


def _is_seconds(value: Any) -> bool:
    return _is_port(value)


def _is_switch(value: Any) -> bool:
    return as_bool(value) is not None


def as_bool(value: Any) -> bool | None:
    """A truth value in Ansible's words for one; None for anything else."""
    text = str(value).strip().lower()
    if text in ("yes", "on", "1", "true", "t", "y", "1.0"):
        return True
    return False if text in ("no", "off", "0", "false", "f", "n", "0.0") else None


_ADDRESS = _Form(_is_text, "an address or a name", "the address itself: 203.0.113.7")
_PORT = _Form(_is_port, "a TCP port (1 to 65535)", "the number itself: 22")
_USER = _Form(_is_name, "the name of a user", "the name itself: ubuntu")
_PATH = _Form(_is_text, "a path", "the path itself: ~/.ssh/id_ed25519")
_PROGRAM = _Form(_is_text, "a program", "its name or path: sudo")
_WORDS = _Form(_is_words, "arguments as in a shell, each quote closed", "them as in a shell: -o X=Y")
_SECONDS = _Form(_is_seconds, "a number of seconds", "the number itself: 10")
_SWITCH = _Form(_is_switch, "true or false", "one of the two")
_SECRET = _Form(lambda _: True, "a password", "it in the vault", secret=True)
_KIND = _Form(_is_text, "a way to connect", "ssh or local")
_METHOD = _Form(_is_text, "a become method", "sudo, su or doas")


@dataclass(frozen=True)
class Option:
    """An option of Ansible's, and where it is set; of several that are, the last one counts.

    Attributes:
        variables: names in the inventory; they win over the environment.
        environment: names in the environment of this process.
    """

    form: _Form
    variables: tuple[str, ...]
    environment: tuple[str, ...] = ()


OPTIONS: Mapping[str, Option] = {
    "connection": Option(_KIND, ("ansible_connection",), ("ANSIBLE_TRANSPORT",)),
    "host": Option(_ADDRESS, ("ansible_host", "ansible_ssh_host")),
    "port": Option(_PORT, ("ansible_port", "ansible_ssh_port"), ("ANSIBLE_REMOTE_PORT",)),
    "remote_user": Option(_USER, ("ansible_user", "ansible_ssh_user"), ("ANSIBLE_REMOTE_USER",)),
    "password": Option(
        _SECRET, ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")
    ),
    "private_key_file": Option(
        _PATH,
        ("ansible_private_key_file", "ansible_ssh_private_key_file"),
        ("ANSIBLE_PRIVATE_KEY_FILE",),
    ),
    "private_key": Option(
        _SECRET, ("ansible_private_key", "ansible_ssh_private_key"), ("ANSIBLE_PRIVATE_KEY",)
    ),
    "private_key_passphrase": Option(
        _SECRET,
        ("ansible_private_key_passphrase", "ansible_ssh_private_key_passphrase"),
        ("ANSIBLE_PRIVATE_KEY_PASSPHRASE",),
    ),
    "ssh_args": Option(_WORDS, ("ansible_ssh_args",), ("ANSIBLE_SSH_ARGS",)),
    "ssh_common_args": Option(_WORDS, ("ansible_ssh_common_args",), ("ANSIBLE_SSH_COMMON_ARGS",)),
    "ssh_extra_args": Option(_WORDS, ("ansible_ssh_extra_args",), ("ANSIBLE_SSH_EXTRA_ARGS",)),
    "ssh_executable": Option(_PROGRAM, ("ansible_ssh_executable",), ("ANSIBLE_SSH_EXECUTABLE",)),
    "timeout": Option(
        _SECONDS, ("ansible_ssh_timeout",), ("ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT")
    ),
    "host_key_checking": Option(
        _SWITCH,
        ("ansible_host_key_checking", "ansible_ssh_host_key_checking"),
        ("ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"),
    ),
    "become": Option(_SWITCH, ("ansible_become",)),
    "become_method": Option(_METHOD, ("ansible_become_method",), ("ANSIBLE_BECOME_METHOD",)),
}
"""Ansible's options of its ssh connection, and those that choose a connection and a become method.

tests/contract/test_login.py compares this table with the documentation of Ansible's plugins.
"""

METHODS = ("sudo", "su", "doas")
"""The become methods that are supported."""


def _become(option: str, form: _Form, method: str, *variables: str) -> Option:
    names = variables or (f"ansible_{option}",)
    own = option.removeprefix("become_")
    return Option(
        form,
        (*names, f"ansible_{method}_{own}"),
        (f"ANSIBLE_{option.upper()}", f"ANSIBLE_{method.upper()}_{own.upper()}"),
    )


BECOME: Mapping[str, Mapping[str, Option]] = {
    method: {
        "become_user": _become("become_user", _USER, method),
        "become_exe": _become("become_exe", _PROGRAM, method),
        "become_flags": _become("become_flags", _WORDS, method),
        "become_pass": _become(
            "become_pass", _SECRET, method, "ansible_become_password", "ansible_become_pass"
        ),
    }
    for method in METHODS
}
"""Become method -> its options."""

BECOME_PASSWORDS = tuple(
    dict.fromkeys(name for method in METHODS for name in BECOME[method]["become_pass"].variables)
)
"""Every variable with the password for becoming root."""

CONNECTIONS: Mapping[str, str] = {
    "ssh": "ssh",
    "ansible.builtin.ssh": "ssh",
    "smart": "ssh",
    "paramiko": "ssh",
    "paramiko_ssh": "ssh",
    "ansible.builtin.paramiko_ssh": "ssh",
    "local": "local",
    "ansible.builtin.local": "local",
}
"""Ansible's name for a connection -> how the toolkit and its Ansible connect."""

_PKCS11 = "ansible_ssh_pkcs11_provider"
_SHELL = "ansible_shell_type"
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
        self._variables = variables

    def find(self, option: Option) -> Found | None:
        """The value of an option, and what sets it."""
        for source, names in (
            (self._variables, option.variables),
            (os.environ, option.environment),
        ):
            for name in reversed(names):
                value = source.get(name)
                if value is not None:
                    return Found(name, value)
        return None

    def options(self) -> Iterator[Option]:
        """All that matter to this host: those of its become method and no other's."""
        yield from OPTIONS.values()
        yield from BECOME.get(self.become_method, {}).values()

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
        return Path(path).expanduser() if path else None

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
    for option in access.options():
        found = access.find(option)
        variable = found and _written(found, variables)
        wrong = _wrong(variable, option.form) if variable else ""
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


def _wrong(variable: Variable, form: _Form) -> str:
    value = variable.value
    if form.secret:
        return ""
    if isinstance(value, VaultedValue):
        return "is encrypted with !vault, which is not read before a connection"
    if is_template(value):
        return "is a template, which is not evaluated before a connection"
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
