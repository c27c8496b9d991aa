"""What can be wrong between here and a shell on a host, in words that help to correct it."""

from __future__ import annotations

import re
import shlex
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from toolkit.cluster.tables import OsRelease, words
from toolkit.errors import ToolkitError
from toolkit.findings import Finding

Kind = Literal[
    "unreachable",
    "auth",
    "other_user",
    "key_mode",
    "key_missing",
    "host_key_changed",
    "ssh_config",
    "no_sudo",
    "sudo_password",
    "wrong_sudo_password",
    "requiretty",
    "no_python",
    "bad_output",
    "timeout",
]


class HostProblem(ToolkitError):  # noqa: N818 - a result as often as it is raised
    """A host that cannot be worked on: which kind of problem, what exactly, and what corrects it.

    Args:
        kind: stable name of the problem; `access.<kind>` is in the catalog.
        host: inventory name of the host.
        what: one sentence, what is wrong.
        fix: the command to type or the edit to make.
    """

    def __init__(self, kind: Kind, host: str, what: str, fix: str) -> None:
        self.finding = Finding.of(f"access.{kind}", host=host, what=what, fix=fix)
        super().__init__(what, where=host, fix=fix, id=self.finding.id)
        self.kind = kind
        self.host = host


def answered(answers: Mapping[str, dict[str, Any] | HostProblem]) -> dict[str, dict[str, Any]]:
    """The answers of hosts (`Remote.fan_out`), all of which have to have one.

    Raises:
        HostProblem: a host has none; the first of them.
    """
    found = {}
    for name, answer in answers.items():
        if isinstance(answer, HostProblem):
            raise answer
        found[name] = answer
    return found


@dataclass(frozen=True)
class Login:
    """As whom, and where: all that a message about a connection needs.

    Attributes:
        host: inventory name.
        known_hosts: path of the file of the accepted host keys.
        target: what `ssh` is given as the host; "" for user and address.
        arguments: the inventory's arguments for `ssh`, as in a shell.
        key: the configured private key; "" leaves the choice to SSH.
        tried: names of the keys that were offered.
        refused: keys that SSH must not use, because other users of this machine can read them.
        proxy: the command whose output is the connection (ProxyCommand); "" for none.
        become: the become method.
        local: whether the host is this machine.
        key_alias: the host's name in known_hosts where it is not its address (HostKeyAlias).
        jump: whether it is a host to go through, on the way to that of the inventory.
    """

    host: str
    user: str
    address: str
    port: int
    known_hosts: str = ""
    target: str = ""
    arguments: str = ""
    key: str = ""
    tried: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    proxy: str = ""
    become: str = "sudo"
    local: bool = False
    key_alias: str = ""
    jump: bool = False

    def __str__(self) -> str:
        return f"{self.user} on this machine" if self.local else f"{self.user}@{self.address}"

    @property
    def place(self) -> str:
        """The host's address and port, as known_hosts has them."""
        return self.address if self.port == 22 else f"[{self.address}]:{self.port}"

    @property
    def alias(self) -> str:
        """The host's name in known_hosts."""
        return self.key_alias or self.place

    @property
    def command(self) -> str:
        """The ssh command that goes the same way."""
        return self.with_options("")

    def with_options(self, options: str) -> str:
        """That command with further options of ssh, as in a shell."""
        parts = [
            "ssh",
            options,
            self.arguments,
            f"-i {shlex.quote(self.key)}" if self.key else "",
            f"-p {self.port}" if self.port != 22 else "",
            self.target or str(self),
        ]
        return " ".join(part for part in parts if part)

    def typed(self, words: str, *, quoted: bool = False) -> str:
        """What to type to run a command there; quoted where it has words of several commands."""
        if self.local:
            return words
        return f"{self.command} {_one_word(words) if quoted else words}"


def _one_word(text: str) -> str:
    """Text quoted for a shell, in the quotes that are easier to read."""
    plain = "'" in text and not set(text) & set('"$`\\!')
    return f'"{text}"' if plain else shlex.quote(text)


def of_connecting(error: Exception, login: Login, timeout: float) -> HostProblem:
    """The problem behind an exception raised while connecting to and logging in on a host."""
    import paramiko

    if isinstance(error, paramiko.BadHostKeyException):
        return HostProblem(
            "host_key_changed",
            login.host,
            f"{login.address} shows another host key ({error.key.fingerprint}) than the one "
            "accepted earlier: it was set up again, or somebody is in between",
            f"if it was set up again: ssh-keygen -R '{login.alias}' -f {login.known_hosts}",
        )
    if isinstance(error, paramiko.AuthenticationException) or "No authentication" in str(error):
        return _of_authentication(error, login)
    what, fix = _of_network(error, login, timeout)
    return HostProblem("unreachable", login.host, what, fix)


def _of_authentication(error: Exception, login: Login) -> HostProblem:
    import paramiko

    if login.refused:
        return key_mode(login.host, login.refused[0])
    if isinstance(error, paramiko.PasswordRequiredException):
        return HostProblem(
            "auth",
            login.host,
            f"the key for {login} has a passphrase, and the SSH agent does not hold it "
            f"(tried: {', '.join(login.tried)})",
            f"ssh-add {login.key}".rstrip() + ", then the same command again",
        )
    tried = ", ".join(login.tried) or "nothing: there is no key file and no SSH agent with keys"
    which = "none of this" if PASSWORD in login.tried else "none of the keys"
    return HostProblem(
        "auth",
        login.host,
        f"{login.address} lets user {login.user} in with {which} (tried: {tried})",
        f"check that this works: {login.command}; "
        + ("ProxyJump names the user, ~/.ssh/config the key" if login.jump else _NAMES_OF_LOGIN),
    )


_NAMES_OF_LOGIN = (
    "ansible_user and ansible_ssh_private_key_file (or ansible_password) in the inventory name the "
    "user and the key"
)


def _of_network(error: Exception, login: Login, timeout: float) -> tuple[str, str]:
    """What, and what corrects it, for a connection that never got as far as a login."""
    import paramiko

    place = f"{login.address} port {login.port}"
    if login.proxy:
        return (
            f"the command that is to lead to {place} does not",
            f"see what it says: {login.proxy}",
        )
    if isinstance(error, socket.gaierror):
        return (
            f"the name {login.address} is not known here ({error.strerror})",
            "write the host's address as ansible_host in the inventory",
        )
    if isinstance(error, TimeoutError):
        return (
            f"{place} did not answer within {timeout:.0f} s",
            "check that the host is up and that no firewall or security group drops "
            f"port {login.port}: {login.command}",
        )
    # Paramiko's NoValidConnectionsError keeps the reason for each address.
    cause = next(iter(getattr(error, "errors", {}).values()), error)
    if isinstance(cause, ConnectionRefusedError):
        return (
            f"{place} refuses connections",
            "start its SSH server, or correct ansible_host and ansible_port in the inventory",
        )
    if "banner" in str(cause):
        return (
            f"{place} accepts connections, but no SSH server answers there",
            "correct ansible_host and ansible_port in the inventory, or see its SSH server's log",
        )
    if isinstance(cause, paramiko.ChannelException):
        return (
            f"the jump host does not get through to {place}",
            "check ProxyJump, and that the host is up and lets the jump host in",
        )
    return f"no SSH connection to {place}: {reason(cause)}", f"try: {login.command}"


def reason(error: Exception) -> str:
    """An exception in one line, also when it has no text of its own."""
    if isinstance(error, EOFError):
        return "the connection was closed"
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text.splitlines()[0] if text else type(error).__name__


def key_mode(host: str, path: str) -> HostProblem:
    """SSH ignores a key that others can read."""
    return HostProblem(
        "key_mode",
        host,
        f"other users of this machine can read the private key {path}, so SSH refuses to use it",
        f"chmod 600 {path}",
    )


def key_missing(host: str, path: str) -> HostProblem:
    """The inventory names a key that is not there."""
    return HostProblem(
        "key_missing",
        host,
        f"there is no private key {path}",
        "correct ansible_ssh_private_key_file in the inventory",
    )


def key_text(host: str, error: Exception) -> HostProblem:
    """The key in the inventory itself cannot be used."""
    return HostProblem(
        "key_missing",
        host,
        f"ansible_private_key is no private key that can be used here: {reason(error)}",
        "correct it, or name a file in ansible_ssh_private_key_file",
    )


PASSWORD = "the password"
"""Among what was tried to log in."""
NO_PYTHON = "toolkit:no_python"
NO_SUDO = "toolkit:no_sudo"
PROMPT = "toolkit:password"

# What sudo (the original and sudo-rs), su and doas write to standard error in the C locale.
_SUDO_SAYS: tuple[tuple[str, Kind], ...] = (
    ("must have a tty|must be run from a terminal|a tty is required", "requiretty"),
    (NO_SUDO, "no_sudo"),
    (r"not in the sudoers|may not run sudo|not allowed to (execute|run)|I'm afraid", "no_sudo"),
    (r"su: (Permission denied|This account|Module is unknown)|doas: .*not permitted", "no_sudo"),
    (
        r"password is required|terminal is required|interactive authentication is required"
        r"|doas: Authentication required",
        "sudo_password",
    ),
    (r"incorrect password|[Ii]ncorrect authentication|no password was provided|try again"
     r"|Authentication (failure|failed)",
     "wrong_sudo_password"),
)  # fmt: skip
ASKED = "a password is required"
"""Added to what was written when there is no password to answer with."""


def other_user(text: str, user: str) -> str:
    """The user whom a host names in place of one; "" where it names none.

    Images of clouds let root in to print a sentence:
    Please login as the user "ubuntu" rather than the user "root".
    """
    found = re.search(
        rf"log ?in as (?:the )?user [\"'](\S+?)[\"'] rather than (?:the )?user [\"']{re.escape(user)}[\"']",
        text,
        re.IGNORECASE,
    )
    return found[1] if found else ""


def of_start(stderr: str, login: Login, stdout: str = "") -> HostProblem:
    """The problem behind a command that did not start, from what was written in its place."""
    user = other_user(stdout, login.user)
    if user:
        return HostProblem(
            "other_user",
            login.host,
            f"{login.address} refuses user {login.user}: {last_line(stdout)}",
            f"ansible_user: {user} in the inventory, or the user before the host's name: {user}@{login.address}",
        )
    missing = re.search(NO_PYTHON + r":(.*):(.*)", stderr)
    if missing:
        return _of_python(missing[1], missing[2], login)
    for pattern, kind in _SUDO_SAYS:
        if re.search(pattern, stderr):
            return _of_sudo(kind, login)
    return HostProblem(
        "bad_output",
        login.host,
        f"the login as {login} works, but no command runs there: {last_line(stderr.strip() or stdout)}",
        f"see what this says: {login.typed(_BECOMING[login.become])}",
    )


def _of_python(named: str, distribution: str, login: Login) -> HostProblem:
    """No interpreter: neither the one the inventory names, nor any."""
    if named:
        what = f"there is no {named} on this host, which ansible_python_interpreter names"
        return HostProblem("no_python", login.host, what, "correct or remove it in the inventory")
    id, *like = distribution.split() or [""]
    install = words(OsRelease(id, tuple(like))).sudo("install", packages="python3")
    return HostProblem(
        "no_python",
        login.host,
        "there is no Python 3 on this host, and Ansible needs one",
        login.typed(install, quoted=True),
    )


_BECOMING: Mapping[str, str] = {
    "sudo": "sudo true",
    "su": "su root -c true",
    "doas": "doas true",
}
"""Become method -> a command that shows what it says."""
_OTHER_PASSWORD = "ansible_become_password in the vault"


def _of_sudo(kind: Kind, login: Login) -> HostProblem:
    return HostProblem(kind, login.host, *_TEXTS[kind](login))


def _no_sudo(login: Login) -> tuple[str, str]:
    return (
        f"user {login.user} may not become root: {login.become} is missing or does not allow it",
        f"log in as root or as a user with {login.become} (ansible_user in the inventory); "
        f"to see why: {login.typed(_BECOMING[login.become])}",
    )


def _requiretty(login: Login) -> tuple[str, str]:
    what = f"{login.become} lets user {login.user} work on a terminal only (requiretty)"
    if login.become != "sudo":
        return what, "use ansible_become_method: sudo, or log in as root"
    line = f"echo 'Defaults:{login.user} !requiretty' | sudo tee /etc/sudoers.d/zz-requiretty"
    return what, line if login.local else f'{login.with_options("-t")} "{line}"'


def _asks(login: Login) -> tuple[str, str]:
    if login.become == "doas":
        return (
            f"doas asks user {login.user} for a password, and reads it from a terminal only",
            f"permit nopass {login.user} in /etc/doas.conf, or use ansible_become_method: sudo",
        )
    whom = "for root's password" if login.become == "su" else f"user {login.user} for a password"
    return (
        f"{login.become} asks {whom}",
        f"the same command with -K, which asks you for it once, or {_OTHER_PASSWORD}",
    )


def _wrong(login: Login) -> tuple[str, str]:
    whose = "root" if login.become == "su" else f"user {login.user}"
    return (
        f"{login.become} does not accept the password of {whose}",
        "correct ansible_become_password in the inventory, or give the right one with -K",
    )


_TEXTS: Mapping[Kind, Callable[[Login], tuple[str, str]]] = {
    "no_sudo": _no_sudo,
    "requiretty": _requiretty,
    "sudo_password": _asks,
    "wrong_sudo_password": _wrong,
}


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it printed nothing"
