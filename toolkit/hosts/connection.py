"""Opening a connection the way `ssh` would: configuration, keys, jump hosts, host keys."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from toolkit.cluster import Host
from toolkit.errors import ToolkitError
from toolkit.hosts.problem import Login, key_missing, key_mode, of_connecting
from toolkit.hosts.trust import Trust

_OWN_KEYS = ("id_rsa", "id_ecdsa", "id_ed25519")
"""What `ssh` offers from ~/.ssh when no key is configured."""
_KEEPALIVE = 15
"""Seconds; a long-running command must survive a firewall that forgets idle connections."""


@dataclass(frozen=True)
class Opened:
    """An open fabric connection, and how to speak of it."""

    connection: Any
    login: Login


class Opener:
    """Opens connections to the hosts of one cluster; safe to use from many threads.

    Args:
        trust: the cluster's known host keys.
        timeout: seconds for each of: connecting, the server's greeting, the login.
    """

    def __init__(self, trust: Trust, timeout: float) -> None:
        # Half a second; everything that can go wrong before a connection has gone wrong by now.
        import fabric

        # Paramiko logs tracebacks for what is reported as a HostProblem here.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)
        self._fabric = fabric
        self._trust = trust
        self._timeout = timeout

    def open(self, host: Host) -> Opened:
        """Connect to a host and log in.

        Raises:
            HostProblem: of kind unreachable, auth, key_mode, key_missing or host_key_changed.
        """
        key = host.key_file
        if key and not key.is_file():
            raise key_missing(host.name, str(key))
        if key and _readable_by_others(key):
            raise key_mode(host.name, str(key))
        try:
            connection = self._connection(
                host.address,
                user=host.user,
                port=host.port,
                gateway=self._gateway(host),
                connect_kwargs={"key_filename": [str(key)] if key else []},
            )
        except (ValueError, TypeError) as error:  # an open quote, H:x
            raise ToolkitError(
                f"what the inventory says of this connection cannot be read: {error}",
                where=host.name,
                fix="correct ansible_ssh_common_args and ansible_host in hosts.yml",
            ) from None
        return self._opened(connection, host.name)

    def _connection(self, address: str, **options: Any) -> Any:
        # Without a config it reads its own: one cannot be shared, it is written to while in use.
        return self._fabric.Connection(address, **options)

    def _gateway(self, host: Host) -> Any:
        """What the inventory's ssh arguments say to go through; None leaves it to ~/.ssh/config."""
        gateway = None
        for variable in ("ansible_ssh_common_args", "ansible_ssh_extra_args"):
            for name, value in ssh_options(str(host.variables.get(variable) or "")):
                if name == "proxycommand":
                    return value
                if name == "proxyjump":
                    for hop in value.split(","):
                        gateway = self._connection(hop, gateway=gateway)
        return gateway

    def _opened(self, connection: Any, host: str) -> Opened:
        """Open a connection, its jump hosts first, so that a message names the one at fault."""
        if isinstance(connection.gateway, self._fabric.Connection):
            self._opened(connection.gateway, host)
        configured = tuple(connection.connect_kwargs.get("key_filename", ()))
        usable, refused = _sorted_keys(configured)
        login = Login(
            host,
            connection.user,
            connection.host,
            connection.port,
            known_hosts=str(self._trust.path),
            key=configured[0] if configured else "",
            tried=usable,
            refused=refused,
            proxy=connection.gateway if isinstance(connection.gateway, str) else "",
        )
        if connection.is_connected:
            return Opened(connection, login)
        connection.connect_kwargs = {
            "key_filename": list(usable),
            "look_for_keys": False,
            "banner_timeout": self._timeout,
            "auth_timeout": self._timeout,
        }
        connection.connect_timeout = self._timeout
        try:
            self._trust.apply(connection.client)
            connection.open()
        except Exception as error:
            # Whatever paramiko raises here (it has no common base) is about this connection.
            login = replace(login, tried=(*usable, *_agent_keys()))
            raise of_connecting(error, login, self._timeout) from None
        connection.transport.set_keepalive(_KEEPALIVE)
        return Opened(connection, login)


def ssh_options(arguments: str) -> Iterator[tuple[str, str]]:
    """The -J and -o options among ssh's arguments, as (lower-case name, value)."""
    words = iter(shlex.split(arguments))
    for word in words:
        if word[:2] not in ("-J", "-o"):
            continue
        value = word[2:] or next(words, "")
        if word[:2] == "-J":
            yield "proxyjump", value
        else:
            name, _, setting = value.replace("=", " ", 1).partition(" ")
            yield name.lower(), setting.strip()


def _sorted_keys(configured: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The private keys that SSH would offer, and those it would refuse to use."""
    own = (str(Path.home() / ".ssh" / name) for name in _OWN_KEYS)
    present = [path for path in configured or own if Path(path).is_file()]
    refused = tuple(path for path in present if _readable_by_others(Path(path)))
    return tuple(path for path in present if path not in refused), refused


def _readable_by_others(key: Path) -> bool:
    """As OpenSSH does: only files of one's own are checked."""
    status = key.stat()
    return status.st_uid == os.getuid() and bool(status.st_mode & 0o077)


def _agent_keys() -> tuple[str, ...]:
    """The keys of the SSH agent as a message names them; none when there is no agent."""
    import paramiko

    try:
        number = len(paramiko.Agent().get_keys())
    except paramiko.SSHException:
        number = 0
    return (f"the SSH agent's keys ({number})",) if number else ()
