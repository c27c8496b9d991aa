"""The way to a host by SSH: connecting as `ssh` would, and commands on an open connection."""

from __future__ import annotations

import io
import logging
import os
import select
import shlex
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.cluster.access import Access
from toolkit.hosts import ssh_config, typed
from toolkit.hosts.problem import PASSWORD, Login, key_missing, key_mode, key_text, of_connecting
from toolkit.hosts.ssh_config import Route
from toolkit.hosts.trust import Trust
from toolkit.hosts.way import STDERR, STDOUT, NoTunnelError, Reply

_KEEPALIVE = 15
"""Seconds; a long-running command must survive a firewall that forgets idle connections."""
_CHUNK = 65536


class SshChannel:
    """A command on a channel of an open connection."""

    def __init__(self, transport: Any, line: str, timeout: float | None) -> None:
        self._transport = transport
        self._channel = transport.open_session(timeout=timeout)
        self._channel.exec_command(line)

    def send(self, data: bytes) -> None:
        """Write to its standard input."""
        self._channel.sendall(data)

    def end(self) -> None:
        """Close its standard input."""
        self._channel.shutdown_write()

    def read(self, timeout: float | None) -> tuple[int, bytes] | None:
        """What it writes next; None when there is no more."""
        channel = self._channel
        while True:
            # Asked before the buffers are read: what comes in between is not lost.
            ended = channel.eof_received or channel.closed
            if channel.recv_ready():
                return STDOUT, channel.recv(_CHUNK)
            if channel.recv_stderr_ready():
                return STDERR, channel.recv_stderr(_CHUNK)
            if ended:
                break
            if not select.select([channel], [], [], timeout)[0]:
                raise TimeoutError
        if not self._transport.is_active():
            raise ConnectionError("the connection broke off")
        return None

    def exit_status(self) -> int:
        """Its exit status; negative when a signal ended it."""
        status: int = self._channel.recv_exit_status()
        return status

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class SshWay:
    """An open connection of fabric's, and how to speak of it."""

    def __init__(self, connection: Any, login: Login) -> None:
        self._connection = connection
        self.login = login

    @property
    def open(self) -> bool:
        """Whether it is connected."""
        return bool(self._connection.is_connected)

    def start(self, line: str, timeout: float | None) -> SshChannel:
        """Give a line to the login shell."""
        return SshChannel(self._connection.transport, line, timeout)

    def on_terminal(self, line: str, reply: Reply | None) -> int:
        """Run a line with this terminal connected to it; returns its exit status."""
        from toolkit.hosts import terminal

        return terminal.run(terminal.RemoteScreen(self._connection.transport, line), reply)

    @contextmanager
    def tunnel(self, address: str, port: int) -> Iterator[int]:
        """A port on 127.0.0.1 that leads to what the host reaches there."""
        from invoke.exceptions import ThreadException

        self._try_tunnel(address, port)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            local: int = probe.getsockname()[1]
        forwarding = self._connection.forward_local(local, remote_port=port, remote_host=address)
        forwarding.__enter__()
        try:
            yield local
        finally:
            # What the tunnel says at its end is that a client hung up, which the client knows best; it must
            # not take the place of what went wrong meanwhile.
            with suppress(ThreadException):
                forwarding.__exit__(None, None, None)

    def _try_tunnel(self, address: str, port: int) -> None:
        import paramiko

        prohibited = 1  # RFC 4254, 5.1
        try:
            transport = self._connection.transport
            transport.open_channel(
                "direct-tcpip", (address, port), ("127.0.0.1", 0), timeout=10
            ).close()
        except paramiko.ChannelException as error:
            if error.code == prohibited:
                raise NoTunnelError from None
        except (paramiko.SSHException, EOFError):
            pass  # the tunnel itself says so

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Connector:
    """Connects by SSH to the hosts of one cluster; safe to use from many threads.

    Args:
        trust: the cluster's known host keys.
        timeout: seconds for each of: connecting, the server's greeting, the login.
    """

    def __init__(self, trust: Trust, timeout: float) -> None:
        # Half a second; everything that can go wrong before a connection has gone wrong by now.
        import fabric
        import paramiko

        # Paramiko logs tracebacks for what is reported as a HostProblem here.
        logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)

        class Connection(fabric.Connection):  # type: ignore[misc]
            """As fabric's; a proxy command is run as `ssh` runs it."""

            def open_gateway(self) -> Any:
                if isinstance(self.gateway, str):
                    return paramiko.ProxyCommand(f"sh -c {shlex.quote('exec ' + self.gateway)}")
                return super().open_gateway()

        self._fabric = fabric
        self._paramiko = paramiko
        self._class = Connection
        self._trust = trust
        self._timeout = timeout

    def open(self, access: Access) -> SshWay:
        """Connect to a host and log in.

        Raises:
            HostProblem: of kind ssh_config, unreachable, auth, key_mode, key_missing or
                host_key_changed.
        """
        key = access.key_file
        if key and not key.is_file():
            raise key_missing(access.name, str(key))
        if key and _readable_by_others(key):
            raise key_mode(access.name, str(key))
        route = ssh_config.route(access)
        gateway: Any = route.command or None
        for hop in route.jumps:
            gateway = self._connected(hop, access, gateway, last=False)._connection
        return self._connected(route, access, gateway, last=True)

    def _connected(self, route: Route, access: Access, gateway: Any, *, last: bool) -> SshWay:
        """Open a connection to a jump host or, at last, to the host itself."""
        usable, refused = _sorted_keys(route.keys)
        login = Login(
            access.name,
            route.user,
            route.address,
            route.port,
            known_hosts=str(self._trust.path),
            tried=usable,
            refused=refused,
            proxy=gateway if isinstance(gateway, str) else "",
            become=access.become_method,
            key_alias=route.alias,
            **_typed(route, access, last=last),
        )
        if last and access.password:
            login = replace(login, tried=(*login.tried, PASSWORD))
        connection = self._class(
            route.address, user=route.user, port=route.port, gateway=gateway,
            config=self._fabric.Config(ssh_config=self._paramiko.SSHConfig()),
        )  # fmt: skip
        timeout = access.timeout or route.timeout or self._timeout
        connection.connect_timeout = timeout
        connection.connect_kwargs = {
            "key_filename": list(usable),
            "look_for_keys": False,
            "allow_agent": route.agent != "none",
            "banner_timeout": timeout,
            "auth_timeout": timeout,
        }
        if last:
            connection.connect_kwargs |= self._secrets(access)
        try:
            self._certify(connection, route, usable)
            agent = self._agent(route)
            connection.client._agent = agent
            self._trust.apply(
                connection.client, login.place, route.alias, check=access.checks_host_key
            )
            connection.open()
        except Exception as error:
            # Whatever paramiko raises here (it has no common base) is about this connection.
            login = replace(login, tried=(*login.tried, *self._agent_keys(route)))
            raise of_connecting(error, login, timeout) from None
        connection.transport.set_keepalive(_KEEPALIVE)
        return SshWay(connection, login)

    def _secrets(self, access: Access) -> Mapping[str, Any]:
        """What the inventory itself has to log in with."""
        found: dict[str, Any] = {"password": access.password} if access.password else {}
        if access.key_text:
            try:
                found["pkey"] = _key_of(access.key_text, access.key_passphrase)
            except Exception as error:
                # Paramiko and the libraries below it have no common base for this either.
                raise key_text(access.name, error) from None
        return found

    def _certify(self, connection: Any, route: Route, keys: tuple[str, ...]) -> None:
        """Have a certificate used whose name does not follow from the key's."""
        for path in route.certificates:
            for key in keys:
                if Path(path).is_file() and path != f"{key}-cert.pub":
                    with suppress(Exception):  # not this key's, or a key with a passphrase
                        pkey = self._paramiko.PKey.from_path(Path(key))
                        pkey.load_certificate(path)
                        connection.connect_kwargs.setdefault("pkey", pkey)

    def _agent(self, route: Route) -> Any:
        """The SSH agent that `ssh` would ask; None for paramiko's own choice."""
        if not route.identities_only and route.agent in ("", "none", "SSH_AUTH_SOCK"):
            return None
        path = (
            os.environ.get("SSH_AUTH_SOCK", "") if route.agent == "SSH_AUTH_SOCK" else route.agent
        )
        agent: Any = self._paramiko.agent.AgentSSH()
        path = path or os.environ.get("SSH_AUTH_SOCK", "")
        if path and path != "none":
            with suppress(OSError):
                connection = socket.socket(socket.AF_UNIX)
                connection.connect(path)
                agent._connect(connection)
        if route.identities_only:
            named = {blob for key in route.keys for blob in _public(key)}
            agent._keys = tuple(key for key in agent.get_keys() if key.get_base64() in named)
        return agent

    def _agent_keys(self, route: Route) -> tuple[str, ...]:
        """The keys of the SSH agent as a message names them; none when there is no agent."""
        if route.agent == "none":
            return ()
        try:
            number = len((self._agent(route) or self._paramiko.Agent()).get_keys())
        except self._paramiko.SSHException:
            number = 0
        return (f"the SSH agent's keys ({number})",) if number else ()


def _typed(route: Route, access: Access, *, last: bool) -> dict[str, Any]:
    """What `ssh` is given to go the same way, for messages."""
    if not last:
        given = ssh_config.configuration(ssh_config.arguments(access))
        return {
            "arguments": shlex.join(given),
            "target": f"{route.user}@{route.typed}",
            "jump": True,
        }
    return typed.parts(access)


def _key_of(text: str, passphrase: str | None) -> Any:
    import paramiko

    failed: Exception | None = None
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"), passphrase)
        except Exception as error:
            failed = failed or error
    assert failed
    raise failed


def _public(key: str) -> Iterator[str]:
    """The public half of a key, from the file beside it."""
    with suppress(OSError, IndexError):
        text = Path(key if key.endswith(".pub") else f"{key}.pub").read_text(encoding="utf-8")
        yield text.split()[1]


def _sorted_keys(keys: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The private keys that SSH would offer, and those it would refuse to use."""
    present = [path for path in keys if Path(path).is_file() and not path.endswith(".pub")]
    refused = tuple(path for path in present if _readable_by_others(Path(path)))
    return tuple(path for path in present if path not in refused), refused


def _readable_by_others(key: Path) -> bool:
    """As OpenSSH does: only files of one's own are checked."""
    status = key.stat()
    return status.st_uid == os.getuid() and bool(status.st_mode & 0o077)
