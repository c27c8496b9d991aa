"""What `ssh` itself makes of its configuration for a host: address, user, keys and jump hosts.

`ssh -G` answers with Include, Match, patterns and all else taken into account. It is asked only where a
configuration or arguments could matter, and once for each question.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import socket
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from toolkit.cluster.access import Access
from toolkit.cluster.login import SSH_ARGS
from toolkit.hosts.problem import HostProblem, last_line, reason

SYSTEM = Path("/etc/ssh/ssh_config")
DISTRIBUTIONS = re.compile(
    r"(include\s+/etc/ssh/ssh_config\.d/\*\.conf|(host|match)\s+(\*|all|final all)|sendenv\b.*"
    r"|hashknownhosts\b.*|gssapi\w+\b.*|forwardx11\w*\b.*|#.*|)",
    re.IGNORECASE,
)
"""Lines that distributions have in their ssh_config; none of them matters to where a host is."""
SECONDS = 30
"""For an answer of `ssh -G`, which runs what `Match exec` says and may resolve names."""
_OWN_KEYS = ("id_rsa", "id_ecdsa", "id_ed25519")
"""What `ssh` offers from ~/.ssh when no key is configured."""


@dataclass(frozen=True)
class Route:
    """How `ssh` gets to a host.

    Attributes:
        typed: the host as it is given to `ssh`.
        keys: paths of private keys to offer; they need not exist.
        certificates: paths of certificates for them.
        agent: the socket of the SSH agent; "" for that of the environment, "none" for no agent.
        identities_only: whether the agent may offer no other keys.
        proxy: a command whose output is the connection; "" for none.
        jumps: hosts to go through, in their order.
        alias: the name that the host has in known_hosts; "" for its address.
        timeout: seconds for connecting; None where nothing says it.
    """

    typed: str
    address: str
    port: int
    user: str
    keys: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    agent: str = ""
    identities_only: bool = False
    proxy: str = ""
    jumps: tuple[Route, ...] = field(default=())
    alias: str = ""
    timeout: float | None = None

    @property
    def command(self) -> str:
        """The proxy command as `ssh` runs it."""
        return _expanded(self.proxy, self)


def home() -> Path:
    """Where `ssh` looks for a user's files: it does not go by $HOME."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return Path.home()


def me() -> str:
    """The user that `ssh` logs in as when nobody is named."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # `ssh` itself then ends with a sentence about it
        return str(os.getuid())


def route(access: Access) -> Route:
    """How to get to a host of the inventory.

    Raises:
        HostProblem: of kind ssh_config, when `ssh` does not understand its configuration.
    """
    words = arguments(access)
    if not words and not _configured():
        return Route(access.address, access.address, access.port or 22, access.user or me(),
                     _plain_keys(access))  # fmt: skip
    own = [f"-oPort={access.port}"] if access.port else []
    own += [f'-oIdentityFile="{access.key_file}"'] if access.key_file else []
    own += [f"-oUser={access.user}"] if access.user else []
    first = shlex.split(access.ssh_arguments("ssh_args"))
    return _asked(access.name, access.ssh_program, (*first, *own, *words[len(first):]),
                  access.address)  # fmt: skip


def arguments(access: Access) -> list[str]:
    """The inventory's arguments for ssh that may matter to where a host is."""
    texts = [
        access.ssh_arguments(name) for name in ("ssh_args", "ssh_common_args", "ssh_extra_args")
    ]
    return [word for text in texts if text != SSH_ARGS for word in shlex.split(text)]


@cache
def _configured() -> bool:
    """Whether a configuration file says anything that could matter."""
    if (home() / ".ssh" / "config").exists():
        return True
    for path in (SYSTEM, *sorted(SYSTEM.with_name("ssh_config.d").glob("*.conf"))):
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        if not all(DISTRIBUTIONS.fullmatch(line.strip()) for line in lines):
            return True
    return False


def _plain_keys(access: Access) -> tuple[str, ...]:
    if access.key_file:
        return (str(access.key_file),)
    return tuple(str(home() / ".ssh" / name) for name in _OWN_KEYS)


@cache
def _asked(host: str, program: str, words: tuple[str, ...], address: str, hops: int = 0) -> Route:
    found = _answer(host, (program, "-G", *words, "--", address))

    def one(name: str, nothing: str = "") -> str:
        value = found[name][0] if found[name] else nothing
        return nothing if value == "none" else value

    route = Route(
        address, one("hostname", address), int(one("port", "22")), one("user", me()),
        agent=found["identityagent"][0] if found["identityagent"] else "",
        identities_only=one("identitiesonly") == "yes",
        proxy=one("proxycommand"),
        alias=one("hostkeyalias"),
        timeout=float(one("connecttimeout", "0")) or None,
        jumps=tuple(_jumps(host, program, words, one("proxyjump"), hops)),
    )  # fmt: skip
    given = tuple(_path(text, route) for text in found["identityfile"])
    certificates = tuple(_path(text, route) for text in found["certificatefile"])
    return Route(**{**vars(route), "keys": given, "certificates": certificates})


def _answer(host: str, command: Sequence[str]) -> Mapping[str, list[str]]:
    shown = shlex.join(command)
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", check=False, timeout=SECONDS)  # fmt: skip
    except (OSError, ValueError) as error:
        said = f"the SSH client {command[0]} cannot be started on this machine: {reason(error)}"
        raise HostProblem("ssh_config", host, said, "install openssh-client, or correct the "
                          "inventory's arguments for ssh") from None  # fmt: skip
    except subprocess.TimeoutExpired:
        said = f"ssh did not read its configuration within {SECONDS} s"
        raise HostProblem("ssh_config", host, said, f"see what takes so long: {shown}") from None
    if done.returncode:
        said = f"ssh does not understand its arguments or configuration: {last_line(done.stderr)}"
        raise HostProblem("ssh_config", host, said, f"correct that; to see it: {shown}")
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in done.stdout.splitlines():
        name, _, value = line.partition(" ")
        found[name].append(value)
    return found


def _jumps(
    host: str, program: str, words: tuple[str, ...], proxyjump: str, hops: int
) -> list[Route]:
    """The hosts of a ProxyJump; as `ssh` does, only the choice of a file goes along."""
    routes: list[Route] = []
    if proxyjump and hops >= _MOST_HOPS:
        said = f"its jump hosts lead in a circle ({proxyjump})"
        raise HostProblem("ssh_config", host, said, "correct ProxyJump in the SSH configuration")
    for hop in proxyjump.split(",") if proxyjump else ():
        user, at, place = hop.removeprefix("ssh://").rstrip("/").rpartition("@")
        name, port = _split_port(place)
        own = [
            *configuration(words),
            *([f"-oUser={user}"] if at else []),
            *([f"-oPort={port}"] if port else []),
        ]
        found = _asked(host, program, tuple(own), name, hops + 1)
        # Only the first hop's own way counts: the others are reached from the one before.
        before = found.jumps if not routes else ()
        routes += [*before, Route(**{**vars(found), "typed": name, "jumps": ()})]
    return routes


_MOST_HOPS = 8


def _split_port(place: str) -> tuple[str, str]:
    match = re.fullmatch(r"\[(.+)\](?::(\d+))?|([^:]+):(\d+)", place)
    if not match:
        return place, ""
    return match[1] or match[3], match[2] or match[4] or ""


def configuration(words: Sequence[str]) -> list[str]:
    """-F and its file among arguments; [] without one."""
    for number, word in enumerate(words):
        if word == "-F":
            return list(words[number : number + 2])
        if word.startswith("-F"):
            return [word]
    return []


def _path(text: str, route: Route) -> str:
    expanded = re.sub(r"\$\{(\w+)\}", lambda m: os.environ.get(m[1], m[0]), _expanded(text, route))
    return re.sub("^~(?=/|$)", lambda _: str(home()), expanded.strip('"'))


def _expanded(text: str, route: Route) -> str:
    """A value with ssh's tokens replaced (ssh_config(5), TOKENS)."""
    here = socket.gethostname()
    tokens = {
        "%": "%", "h": route.address, "n": route.typed, "p": str(route.port), "r": route.user,
        "d": str(home()), "u": me(), "i": str(os.getuid()), "l": here,
        "L": here.partition(".")[0], "k": route.alias or route.address,
    }  # fmt: skip
    return re.sub("%(.)", lambda match: tokens.get(match[1], match[0]), text)
