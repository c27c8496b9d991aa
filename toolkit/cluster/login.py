"""Ansible's options for logging in to a host and becoming root there: names, order and form."""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

ROOT = "root"
SSH_ARGS = "-C -o ControlMaster=auto -o ControlPersist=60s"
"""Ansible's arguments for ssh where none are set; none of them matters to how a host is found."""


@dataclass(frozen=True)
class Form:
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


def is_address(value: Any) -> bool:
    """Neither a URL nor HOST:PORT: colons are those of IPv6, whose zone is behind a %."""
    if not _is_text(value) or re.search(r"[\s/@]", value):
        return False
    if ":" not in value:
        return True
    try:
        ipaddress.IPv6Address(value.strip("[]").partition("%")[0])
    except ValueError:
        return False
    return True


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


_ADDRESS = Form(is_address, "an address or a name", "the address itself: 203.0.113.7")
_PORT = Form(_is_port, "a TCP port (1 to 65535)", "the number itself: 22")
_USER = Form(_is_name, "the name of a user", "the name itself: ubuntu")
_PATH = Form(_is_text, "a path", "the path itself: ~/.ssh/id_ed25519")
_PROGRAM = Form(_is_text, "a program", "its name or path: sudo")
_WORDS = Form(_is_words, "arguments as in a shell, each quote closed", "them as in a shell: -o X=Y")
_SECONDS = Form(_is_seconds, "a number of seconds", "the number itself: 10")
_SWITCH = Form(_is_switch, "true or false", "one of the two")
_SECRET = Form(lambda _: True, "a password", "it in the vault", secret=True)
_KIND = Form(_is_text, "a way to connect", "ssh or local")
_METHOD = Form(_is_text, "a become method", "sudo, su or doas")


@dataclass(frozen=True)
class Option:
    """An option of Ansible's, and where it is set; of several that are, the last one counts.

    Attributes:
        variables: names in the inventory; they win over the environment.
        environment: names in the environment of this process.
    """

    form: Form
    variables: tuple[str, ...]
    environment: tuple[str, ...] = ()


OPTIONS: Mapping[str, Option] = {
    "connection": Option(_KIND, ("ansible_connection",), ("ANSIBLE_TRANSPORT",)),
    "host": Option(_ADDRESS, ("ansible_host", "ansible_ssh_host")),
    "port": Option(_PORT, ("ansible_port", "ansible_ssh_port"), ("ANSIBLE_REMOTE_PORT",)),
    "remote_user": Option(_USER, ("ansible_user", "ansible_ssh_user"), ("ANSIBLE_REMOTE_USER",)),
    "password": Option(_SECRET, ("ansible_password", "ansible_ssh_pass", "ansible_ssh_password")),
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


def _become(option: str, form: Form, method: str, *variables: str) -> Option:
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

PASSWORDS = tuple(
    name for option in OPTIONS.values() if option.form.secret for name in option.variables
)
"""Every variable with a secret to log in with."""

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
