"""A way to a host: what SSH and this machine itself have in common for whoever runs commands."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol

from toolkit.hosts.problem import Login

STDOUT, STDERR = 1, 2
EXIT_UNKNOWN = 255
"""As `ssh` itself: the command was ended by a signal."""


class NoTunnelError(Exception):
    """A host that forwards no connections (AllowTcpForwarding no)."""


@dataclass(frozen=True)
class Reply:
    """What to type, once, when a command on a terminal asks for it.

    Attributes:
        prompt: a regular expression of the question.
        text: the answer, without the end of the line.
    """

    prompt: str
    text: str = field(repr=False)


class Channel(Protocol):
    """A command that was started."""

    def send(self, data: bytes) -> None:
        """Write to its standard input.

        Raises:
            OSError: it reads no more.
        """

    def end(self) -> None:
        """Close its standard input."""

    def read(self, timeout: float | None) -> tuple[int, bytes] | None:
        """What it writes next: STDOUT or STDERR, and the bytes; None when there is no more.

        Raises:
            TimeoutError: nothing came within so many seconds.
            ConnectionError: the way to the host broke.
        """

    def exit_status(self) -> int:
        """Its exit status, once its output has ended; negative when a signal ended it."""

    def close(self) -> None:
        """Let go of it."""


class Way(Protocol):
    """An open way to one host."""

    @property
    def login(self) -> Login:
        """As whom, and where."""

    @property
    def open(self) -> bool:
        """Whether it can be used."""

    def start(self, line: str, timeout: float | None) -> Channel:
        """Give a line to the login shell.

        Raises:
            Exception: the connection broke; of whatever type.
        """

    def on_terminal(self, line: str, reply: Reply | None) -> int:
        """Run a line with this terminal connected to it; returns its exit status."""

    def tunnel(self, address: str, port: int) -> AbstractContextManager[int]:
        """A port on 127.0.0.1 of this machine that leads to what the host reaches there.

        Raises:
            NoTunnelError: the host forwards no connections.
        """

    def close(self) -> None:
        """Close it."""
