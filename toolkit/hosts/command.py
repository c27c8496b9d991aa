"""One command on one host: started under sudo, fed, read to its end."""

from __future__ import annotations

import contextlib
import re
import shlex
import threading
import time
from collections.abc import Iterator
from typing import IO

from toolkit.hosts.become import Become
from toolkit.hosts.problem import ASKED, HostProblem, of_start, other_user, reason
from toolkit.hosts.way import EXIT_UNKNOWN, STDERR, STDOUT, Channel, Reply, Way

_READY = b"toolkit:ready\n"
# What the login shell prints comes before the line, so it is known for what it is; and nothing is
# given to the command before the become method has let it start.
_STARTED = "unset LC_ALL; {path}{setup}echo toolkit:ready; exec {words}"
# su leaves the login user's PATH, without the places of root's programs.
_PATH = "export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; "


class Command:
    """A command on an open way to a host; a context manager that lets go of it.

    Args:
        way: the way to the host.
        become: how one becomes root there.
        password: what the become method may ask for; None when it is not expected to.
        timeout: seconds until the host counts as hanging; None waits without end.

    Attributes:
        chatter: the first line that the login shell printed before the command started; or "".
        asked: whether the password was asked for.
    """

    def __init__(
        self, way: Way, become: Become, password: str | None = None, timeout: float | None = None
    ) -> None:
        self._way = way
        self._login = way.login
        self._become = become
        self._password = password
        self._timeout = timeout
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self.chatter = ""
        self.asked = False
        self._first = b""
        self._channel: Channel

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        if hasattr(self, "_channel"):
            self._channel.close()

    def start(self, words: str, *, become: bool, setup: str = "") -> None:
        """Start a command and wait until it runs.

        Args:
            words: the command, quoted for sh.
            become: as root.
            setup: sh commands to run before.

        Raises:
            HostProblem: it did not start (no sudo, a wrong password, what `setup` found).
        """
        method = self._become if become and self._login.user != "root" else None
        try:
            line = _shell(words, setup, method, asked=self._password is not None)
            self._channel = self._way.start(line, self._timeout)
        except Exception as error:
            raise self._broken(reason(error)) from None
        self._await_start()

    def _await_start(self) -> None:
        """Read up to the line that says so, and answer the question for a password, if there is one.

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
            if other_user(said[STDOUT].decode(errors="replace"), self._login.user):
                break  # it lets one wait before it hangs up
            errors = said[STDERR].decode(errors="replace")
            if not re.search(self._become.prompt, errors):
                continue
            if self._password is None or self.asked:
                said[STDERR] += b"try again" if self.asked else ASKED.encode()
                break
            self.asked = True
            said[STDERR] = b""
            self.give(self._password.encode() + b"\n", end=False)
        texts = (said[stream].decode(errors="replace") for stream in (STDERR, STDOUT))
        raise of_start(next(texts), self._login, next(texts))

    def give(self, data: bytes, *, end: bool = True) -> None:
        """Write to the command's standard input, and close it unless more is to come."""
        # A command that has ended already says on standard error why.
        with contextlib.suppress(OSError):
            self._channel.send(data)
            if end:
                self._channel.end()

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
        while True:
            try:
                found = self._channel.read(self._remaining())
            except TimeoutError:
                self._remaining()  # says so
                continue
            except ConnectionError as error:
                raise self._broken(str(error)) from None
            if found is None:
                return
            yield found

    def _remaining(self) -> float | None:
        if self._deadline is None:
            return None
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise HostProblem(
                "timeout",
                self._login.host,
                f"the login works, but nothing came back within {self._timeout:.0f} s",
                f"see whether the host is overloaded: {self._login.typed('uptime')}",
            )
        return remaining

    def exit_status(self) -> int:
        """The command's exit status, once its output has ended."""
        status = self._channel.exit_status()
        return EXIT_UNKNOWN if status < 0 else status

    def _broken(self, cause: str) -> HostProblem:
        return HostProblem(
            "unreachable",
            self._login.host,
            f"the login as {self._login} worked, then {cause}",
            f"try: {self._login.typed('true')}",
        )


def run_on_terminal(way: Way, argv: list[str], become: Become | None, password: str | None) -> int:
    """Run a command with this terminal connected to it; returns its exit status.

    Args:
        become: how to become root; None for the login user.

    Raises:
        HostProblem: the become method does not let the command start.
    """
    words = shlex.join(argv)
    if become is None or way.login.user == "root":
        return way.on_terminal(words, None)
    # On a terminal its complaints cannot be distinguished from the command's output: ask before.
    with Command(way, become, password) as trial:
        trial.start("true", become=True)
    reply = Reply(become.terminal_prompt, password) if trial.asked and password else None
    line = "export LC_ALL=C; " + become.on_terminal(f"unset LC_ALL; exec {words}")
    return way.on_terminal(f"sh -c {shlex.quote(line)}", reply)


def _shell(words: str, setup: str, become: Become | None, *, asked: bool = False) -> str:
    """The line that the login shell, whichever it is, gets to run."""
    script = _STARTED.format(path=_PATH if become else "", setup=setup, words=words)
    line = become.line(script, asked=asked) if become else script
    # LC_ALL: what the become method says is read here.
    return f"sh -c {shlex.quote('export LC_ALL=C; ' + line)}"
