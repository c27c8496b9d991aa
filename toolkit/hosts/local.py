"""The way to a host that is this machine: commands as processes, without SSH."""

from __future__ import annotations

import os
import select
import socket
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from toolkit.hosts.problem import Login
from toolkit.hosts.way import STDERR, STDOUT, Reply

_CHUNK = 65536


class LocalChannel:
    """A command on this machine, in a session of its own: Ctrl-C here is not meant for it."""

    def __init__(self, line: str) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            ["sh", "-c", f"exec {line}"], stdin=pipe, stdout=pipe, stderr=pipe, bufsize=0,
            start_new_session=True, cwd="/",
        )  # fmt: skip
        assert self._process.stdout and self._process.stderr and self._process.stdin
        self._input = self._process.stdin
        self._streams = {
            self._process.stdout.fileno(): STDOUT,
            self._process.stderr.fileno(): STDERR,
        }

    def send(self, data: bytes) -> None:
        """Write to its standard input."""
        view = memoryview(data)
        while view:
            view = view[self._input.write(view) :]

    def end(self) -> None:
        """Close its standard input."""
        with suppress(BrokenPipeError):
            self._input.close()

    def read(self, timeout: float | None) -> tuple[int, bytes] | None:
        """What it writes next; None when there is no more."""
        while self._streams:
            ready, _, _ = select.select(list(self._streams), [], [], timeout)
            if not ready:
                raise TimeoutError
            for descriptor in ready:
                chunk = os.read(descriptor, _CHUNK)
                if chunk:
                    return self._streams[descriptor], chunk
                del self._streams[descriptor]
        return None

    def exit_status(self) -> int:
        """Its exit status; negative when a signal ended it."""
        return self._process.wait()

    def close(self) -> None:
        """Close its pipes. What does not end by that goes on, as after a connection was cut."""
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            with suppress(OSError):
                stream.close()  # type: ignore[union-attr]
        self._process.poll()


class LocalWay:
    """This machine."""

    def __init__(self, login: Login) -> None:
        self.login = login

    @property
    def open(self) -> bool:
        """It always can be used."""
        return True

    def start(self, line: str, timeout: float | None) -> LocalChannel:  # noqa: ARG002
        """Give a line to sh."""
        return LocalChannel(line)

    def on_terminal(self, line: str, reply: Reply | None) -> int:
        """Run a line with this terminal connected to it; returns its exit status."""
        from toolkit.hosts import terminal

        return terminal.run(terminal.LocalScreen(line), reply)

    @contextmanager
    def tunnel(self, address: str, port: int) -> Iterator[int]:
        """A port on 127.0.0.1 that leads to a server.

        It is a port of its own, also for a server of this machine: whoever asks goes by it alone.
        """
        with _Forwarder(address, port) as forwarder:
            threading.Thread(target=forwarder.serve_forever, daemon=True).start()
            try:
                yield forwarder.server_address[1]
            finally:
                forwarder.shutdown()

    def close(self) -> None:
        """Nothing is open."""


class _Forwarder(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: str, port: int) -> None:
        self.target = (address, port)
        super().__init__(("127.0.0.1", 0), _Forwarding)


class _Forwarding(socketserver.BaseRequestHandler):
    server: _Forwarder

    def handle(self) -> None:
        """Copy both ways until one side has ended; a server that is not there hangs up."""
        with suppress(OSError), socket.create_connection(self.server.target, timeout=10) as there:
            there.settimeout(None)
            back = threading.Thread(target=_copy, args=(there, self.request), daemon=True)
            back.start()
            _copy(self.request, there)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(_CHUNK):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
