"""A command with this terminal connected to it, every key and the window's size included."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from toolkit.hosts.way import EXIT_UNKNOWN, Reply

_CHUNK = 65536


class Screen(Protocol):
    """The other end: a pseudo-terminal with a command on it."""

    def fileno(self) -> int:
        """What can be waited for."""

    def receive(self) -> bytes:
        """What is to be shown next; b"" when the command has ended."""

    def send(self, data: bytes) -> None:
        """What was typed."""

    def resize(self, columns: int, lines: int) -> None:
        """The window has another size now."""

    def exit_status(self) -> int:
        """Of the command, once it has ended; negative when a signal ended it."""


class RemoteScreen:
    """A command on a host.

    Args:
        transport: paramiko's, of an open connection.
    """

    def __init__(self, transport: Any, line: str) -> None:
        self._channel = transport.open_session()
        self._channel.get_pty(os.environ.get("TERM", "vt100"), *_size())
        self._channel.exec_command(line)

    def fileno(self) -> int:
        """What can be waited for."""
        return int(self._channel.fileno())

    def receive(self) -> bytes:
        """What is to be shown next."""
        return bytes(self._channel.recv(_CHUNK))

    def send(self, data: bytes) -> None:
        """What was typed."""
        self._channel.sendall(data)

    def resize(self, columns: int, lines: int) -> None:
        """The window has another size now."""
        self._channel.resize_pty(columns, lines)

    def exit_status(self) -> int:
        """Of the command; negative where the connection broke."""
        return int(self._channel.recv_exit_status())


class LocalScreen:
    """A command on this machine."""

    def __init__(self, line: str) -> None:
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.execv("/bin/sh", ["sh", "-c", line])
        self.resize(*_size())

    def fileno(self) -> int:
        """What can be waited for."""
        return self._terminal

    def receive(self) -> bytes:
        """What is to be shown next."""
        try:
            return os.read(self._terminal, _CHUNK)
        except OSError:  # Linux says so when nobody has the other end any more
            return b""

    def send(self, data: bytes) -> None:
        """What was typed."""
        while data:
            data = data[os.write(self._terminal, data) :]

    def resize(self, columns: int, lines: int) -> None:
        """The window has another size now."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def exit_status(self) -> int:
        """Of the command; negative when a signal ended it."""
        _, status = os.waitpid(self._process, 0)
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status)


def run(screen: Screen, reply: Reply | None) -> int:
    """Connect this terminal to a command until that ends; returns its exit status.

    Args:
        reply: typed once, for the first question of that kind: later ones are the command's own.
    """
    keys, shown = sys.stdin.fileno(), sys.stdout.fileno()
    asked = b""
    typing = True
    with _raw(keys), _resizing(screen):
        while True:
            ready, _, _ = select.select([screen, *([keys] if typing else [])], [], [])
            if screen in ready:
                chunk = screen.receive()
                if not chunk:
                    break
                _write(shown, chunk)
                if reply:
                    asked += chunk
                    if re.search(reply.prompt, asked.decode(errors="replace")):
                        screen.send(reply.text.encode() + b"\n")
                        reply = None
            if keys in ready:
                typed = os.read(keys, _CHUNK)
                typing = bool(typed)  # a window that was closed
                screen.send(typed)
    status = screen.exit_status()
    return EXIT_UNKNOWN if status < 0 else status


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def _raw(keys: int) -> Iterator[None]:
    """Every key goes to the command, Ctrl-C, Ctrl-Z and Ctrl-S included."""
    before = termios.tcgetattr(keys)
    tty.setraw(keys)
    try:
        yield
    finally:
        termios.tcsetattr(keys, termios.TCSADRAIN, before)


@contextmanager
def _resizing(screen: Screen) -> Iterator[None]:
    before = signal.signal(signal.SIGWINCH, lambda *_: screen.resize(*_size()))
    try:
        yield
    finally:
        signal.signal(signal.SIGWINCH, before)


def _size() -> tuple[int, int]:
    """Columns and lines."""
    return os.get_terminal_size(sys.stdout.fileno())
