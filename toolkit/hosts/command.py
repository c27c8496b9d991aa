"""One command on one host: started under sudo, fed, read to its end."""

from __future__ import annotations

import contextlib
import select
import shlex
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from toolkit.hosts.connection import Opened
from toolkit.hosts.problem import NO_SUDO, PROMPT, HostProblem, of_start, reason

STDOUT, STDERR = 1, 2
EXIT_UNKNOWN = 255
"""As `ssh` itself: the command was ended by a signal."""

_READY = b"toolkit:ready\n"
# $0 and $@ are the command. What the login shell prints comes before the line, so it is known
# for what it is; and nothing is given to the command before sudo has let it start.
_STARTED = 'unset LC_ALL; echo toolkit:ready; exec "$0" "$@"'


class Command:
    """A command on a channel of an open connection; a context manager that closes the channel.

    Args:
        opened: the connection.
        password: sudo's, None when sudo is not expected to ask for one.
        timeout: seconds until the host counts as hanging; None waits without end.

    Attributes:
        chatter: the first line that the login shell printed before the command started; or "".
    """

    def __init__(
        self, opened: Opened, password: str | None = None, timeout: float | None = None
    ) -> None:
        self._login = opened.login
        self._transport = opened.connection.transport
        self._password = password
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.chatter = ""
        self._first = b""
        self._channel: Any = None

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if self._channel:
            self._channel.close()

    def start(self, words: str, *, become: bool, setup: str = "") -> None:
        """Start a command and wait until it runs.

        Args:
            words: the command, quoted for sh.
            become: as root.
            setup: sh commands to run before, as the login user.

        Raises:
            HostProblem: it did not start (no sudo, a wrong password, what `setup` found).
        """
        sudo = become and self._login.user != "root"
        try:
            self._channel = self._transport.open_session(timeout=self._timeout)
            self._channel.exec_command(_shell(words, setup, self._sudo() if sudo else ""))
        except Exception as error:
            raise self._broken(reason(error)) from None
        self._await_start()

    def _sudo(self) -> str:
        return "sudo -n -- " if self._password is None else f"sudo -S -p {PROMPT} -- "

    def _await_start(self) -> None:
        """Read up to the line that says so, and answer sudo's question if it asks one.

        The password is sent only when asked for, and once: so it never becomes the command's own
        input, and a wrong one does not cost the user three failed logins.
        """
        said = {STDOUT: b"", STDERR: b""}
        for stream, chunk in self._raw():
            said[stream] += chunk
            before, ready, self._first = said[STDOUT].partition(_READY)
            if ready:
                self.chatter = before.decode(errors="replace").strip().partition("\n")[0]
                return
            prompts = said[STDERR].count(PROMPT.encode())
            if prompts == 1 and self._password is not None:
                self.give(self._password.encode() + b"\n", end=False)
                self._password = None
            elif prompts > 1:
                said[STDERR] += b"try again"
                break
        raise of_start(said[STDERR].decode(errors="replace"), self._login)

    def give(self, data: bytes, *, end: bool = True) -> None:
        """Write to the command's standard input, and close it unless more is to come."""
        # A command that has ended already says on standard error why.
        with contextlib.suppress(OSError):
            self._channel.sendall(data)
            if end:
                self._channel.shutdown_write()

    def forward(self, source: IO[bytes] | None) -> None:
        """Pass a file on to the command's standard input, in the background."""
        if source is None:
            self.give(b"")
        else:
            threading.Thread(target=self._copy, args=(source,), daemon=True).start()

    def _copy(self, source: IO[bytes]) -> None:
        read = getattr(source, "read1", source.read)  # read1 does not wait for a full buffer
        while chunk := read(65536):
            self.give(chunk, end=False)
        self.give(b"")

    def chunks(self) -> Iterator[tuple[int, bytes]]:
        """What the command writes, as it comes: STDOUT or STDERR, and the bytes.

        Raises:
            HostProblem: it did not end in time, or the connection broke.
        """
        if self._first:
            yield STDOUT, self._first
        yield from self._raw()

    def _raw(self) -> Iterator[tuple[int, bytes]]:
        channel = self._channel
        while True:
            # Asked before the buffers are read: what comes in between is not lost.
            ended = channel.eof_received or channel.closed
            if channel.recv_ready():
                yield STDOUT, channel.recv(65536)
            elif channel.recv_stderr_ready():
                yield STDERR, channel.recv_stderr(65536)
            elif ended:
                break
            else:
                select.select([channel], [], [], self._remaining())
        if not self._transport.is_active():
            raise self._broken("the connection broke off")

    def _remaining(self) -> float | None:
        if self._deadline is None:
            return None
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise HostProblem(
                "timeout",
                self._login.host,
                f"the login works, but nothing came back within {self._timeout:.0f} s",
                f"see whether the host is overloaded: {self._login.command} uptime",
            )
        return remaining

    def exit_status(self) -> int:
        """The command's exit status, once its output has ended."""
        status: int = self._channel.recv_exit_status()
        return EXIT_UNKNOWN if status < 0 else status

    def _broken(self, cause: str) -> HostProblem:
        return HostProblem(
            "unreachable",
            self._login.host,
            f"the login as {self._login} worked, then {cause}",
            f"try: {self._login.command}",
        )


def run_on_terminal(opened: Opened, argv: list[str], become: bool, password: str | None) -> int:
    """Run a command with this terminal connected to it; returns its exit status.

    Raises:
        HostProblem: sudo does not let the command start.
    """
    words = shlex.join(argv)
    options = {"pty": True, "warn": True, "hide": False}
    if not become or opened.login.user == "root":
        result = opened.connection.run(words, **options)
    else:
        # On a terminal sudo's complaints cannot be distinguished from the command's output: ask before.
        with Command(opened, password) as trial:
            trial.start("true", become=True)
        result = opened.connection.sudo(words, password=password or "", **options)
    return EXIT_UNKNOWN if result.exited < 0 else int(result.exited)


def _shell(words: str, setup: str, sudo: str) -> str:
    """The line that the login shell, whichever it is, gets to run."""
    check = f"command -v sudo >/dev/null || {{ echo {NO_SUDO} >&2; exit 127; }}; " if sudo else ""
    # LC_ALL: sudo's messages are read here.
    line = f"{setup}{check}export LC_ALL=C; exec {sudo}sh -c {shlex.quote(_STARTED)} {words}"
    return f"sh -c {shlex.quote(line)}"
