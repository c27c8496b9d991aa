"""Scripts and commands on the hosts of a cluster."""

from __future__ import annotations

import json
import re
import resource
import secrets
import shlex
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from typing import IO, Any

import click

from toolkit.cluster import Cluster, Host
from toolkit.hosts.become import Become
from toolkit.hosts.command import Command, run_on_terminal
from toolkit.hosts.connection import Opener
from toolkit.hosts.problem import NO_PYTHON, HostProblem, last_line
from toolkit.hosts.trust import Trust
from toolkit.hosts.way import EXIT_UNKNOWN, STDERR, STDOUT, Way

_READ = "import sys; exec(compile(sys.stdin.buffer.read(%d), '<stdin>', 'exec'))"
"""Runs the script, of so many bytes, and leaves the rest of standard input to it."""

report_on_stderr = partial(click.echo, err=True)

Payload = Mapping[str, Any] | Callable[[Host], Mapping[str, Any]]
"""What a script is given: the same for every host, or made for each."""


class Remote:
    """Connections to a cluster's hosts, kept from one script to the next.

    Args:
        cluster: whose hosts, login settings and known_hosts file are used.
        become_password: sudo's or su's password (-K) on every host; None leaves it to the inventory.
        connect_timeout: seconds until a host counts as unreachable.
        say: called with a line for each host key that is accepted on first use.
    """

    def __init__(
        self,
        cluster: Cluster,
        become_password: str | None = None,
        connect_timeout: float = 10,
        say: Callable[[str], None] = report_on_stderr,
    ) -> None:
        _allow_open_files()
        self._password = become_password
        self._trust = Trust(cluster.directory / "known_hosts", say)
        self._opener = Opener(self._trust, connect_timeout)
        self._ways: dict[str, Way] = {}
        self._locks: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._closed = False

    def __enter__(self) -> Remote:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection, also those that are being made in threads that nobody waits for."""
        self._closed = True
        for way in list(self._ways.values()):
            way.close()
        self._ways.clear()

    def reached(self, host: Host) -> bool:
        """Whether there is a connection to a host now."""
        way = self._ways.get(host.name)
        return way is not None and way.open

    def run_script(
        self,
        host: Host,
        script: str,
        payload: Mapping[str, Any],
        *,
        become: bool = True,
        timeout: float = 60,
        data: Iterable[bytes] | None = None,
    ) -> dict[str, Any]:
        """Run a Python script on a host, in one round trip, and return what it finds.

        The script goes through standard input of `python3 -`, so neither it nor the payload is
        ever in a command line or a file there. It is ASCII, needs the standard library alone, and
        defines `main(payload: dict) -> dict`.

        Args:
            host: where to run it.
            script: the text of the script.
            payload: JSON data handed to `main`.
            become: as root; False for the login user.
            timeout: seconds until the host counts as hanging.
            data: what the script reads from its standard input; without it there is nothing to read.

        Returns:
            What `main` returned, plus "sent" and "received": this machine's clock (seconds since
            the epoch) just before and just after; and "chatter": the first line that the
            login shell printed, or "".

        Raises:
            HostProblem: no connection, no sudo, no Python, no usable answer, or none in time.
        """
        mark = f"toolkit:{secrets.token_hex(8)}:"
        source = (
            f"{script}\n\nimport json as _json\n"
            f'print("\\n" + {mark!r} + _json.dumps(main(_json.loads({json.dumps(payload)!r}))))\n'
        ).encode("ascii")
        words = (
            '"$python" -' if data is None else f'"$python" -c {shlex.quote(_READ % len(source))}'
        )
        way = self._open(host)
        sent = time.time()
        with self._command(way, host, timeout) as command:
            command.start(words, become=become, setup=_find_python(host))
            for chunk in chain([source], data or ()):
                command.give(chunk, end=False)
            command.give(b"")
            output = {STDOUT: b"", STDERR: b""}
            for stream, chunk in command.chunks():
                output[stream] += chunk
            received = time.time()
        for line in output[STDOUT].decode(errors="replace").splitlines():
            if line.startswith(mark):
                found: dict[str, Any] = json.loads(line.removeprefix(mark))
                return found | {"sent": sent, "received": received, "chatter": command.chatter}
        errors = output[STDERR].decode(errors="replace")
        raise HostProblem(
            "bad_output",
            host.name,
            f"Python ran on this host but gave no answer: {last_line(errors)}{_place(errors)}",
            "try another interpreter: ansible_python_interpreter in the inventory",
        )

    def fan_out(
        self,
        hosts: Iterable[Host],
        script: str,
        payload: Payload,
        *,
        become: bool = True,
        timeout: float = 60,
        data: Callable[[Host], Iterable[bytes] | None] = lambda _: None,
    ) -> dict[str, dict[str, Any] | HostProblem]:
        """Run a script on all hosts at once (see `run_script`).

        Args:
            data: what the script reads from standard input, for each host.

        Returns:
            For each host's name what the script returned, or what is wrong with the host.
        """
        hosts = list(hosts)
        results: dict[str, dict[str, Any] | HostProblem] = {}
        broken: list[Exception] = []

        def work(host: Host) -> None:
            try:
                self._open(host)  # first, as making the payload may take a while
                given = payload(host) if callable(payload) else payload
                results[host.name] = self.run_script(
                    host, script, given, become=become, timeout=timeout, data=data(host)
                )
            except HostProblem as problem:
                results[host.name] = problem
            except Exception as error:
                broken.append(error)

        # Daemon threads, so that Ctrl-C does not wait for the slowest connection.
        threads = [threading.Thread(target=work, args=(host,), daemon=True) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if broken:
            raise broken[0]
        return {host.name: results[host.name] for host in hosts}

    def run(
        self,
        host: Host,
        argv: list[str],
        *,
        become: bool = True,
        stdin: IO[bytes] | None = None,
        pty: bool = False,
    ) -> int:
        """Run a command on a host as if it ran here: output passed through as it comes.

        Args:
            host: where to run it.
            argv: the command and its arguments.
            become: as root; False for the login user.
            stdin: passed on to the command; None for nothing. Ignored with `pty`.
            pty: connect this terminal to it (prompts, colours, paging).

        Returns:
            The command's exit status; 255 when a signal ended it.

        Raises:
            HostProblem: no connection, no sudo, or the connection broke.
        """
        way = self._open(host)
        if pty:
            method = Become.on(host.access) if become else None
            return run_on_terminal(way, argv, method, self._password_of(host))
        streams = {STDOUT: sys.stdout.buffer, STDERR: sys.stderr.buffer}

        def pass_on(stream: int, chunk: bytes) -> None:
            streams[stream].write(chunk)
            streams[stream].flush()

        try:
            return self.follow(host, shlex.join(argv), pass_on, become=become, stdin=stdin)
        except BrokenPipeError:
            return EXIT_UNKNOWN  # our reader, such as `head`, has seen enough

    def follow(
        self,
        host: Host,
        words: str,
        hear: Callable[[int, bytes], None],
        *,
        become: bool = True,
        stdin: IO[bytes] | None = None,
    ) -> int:
        """Run a command on a host, and hear what it writes as it comes.

        Args:
            host: where to run it.
            words: the command, quoted for sh.
            hear: called with STDOUT or STDERR, and the bytes.
            become: as root; False for the login user.
            stdin: passed on to the command; None for nothing.

        Returns:
            The command's exit status; 255 when a signal ended it.

        Raises:
            HostProblem: no connection, no sudo, or the connection broke.
        """
        with self._command(self._open(host), host) as command:
            command.start(words, become=become)
            command.forward(stdin)
            for stream, chunk in command.chunks():
                hear(stream, chunk)
            return command.exit_status()

    def follow_all(
        self,
        hosts: Iterable[Host],
        words: Callable[[Host], str],
        hear: Callable[[Host, int, bytes], None],
        *,
        become: bool = True,
        lost: Callable[[HostProblem], None] | None = None,
    ) -> dict[str, int | HostProblem]:
        """The same on all hosts at once; `hear` is called by one thread at a time.

        Args:
            lost: called at once with what is wrong with a host, while the others go on.

        Returns:
            For each host's name the exit status, or what is wrong with the host.
        """
        hosts = list(hosts)
        found: dict[str, int | HostProblem] = {}
        turn = threading.Lock()
        closed = threading.Event()

        def work(host: Host) -> None:
            def heard(stream: int, chunk: bytes) -> None:
                with turn:
                    hear(host, stream, chunk)

            try:
                found[host.name] = self.follow(host, words(host), heard, become=become)
            except HostProblem as problem:
                found[host.name] = problem
                with turn:
                    if lost:
                        lost(problem)
            except BrokenPipeError:
                found[host.name] = EXIT_UNKNOWN
                closed.set()  # nobody reads what the others have to say

        threads = [threading.Thread(target=work, args=(host,), daemon=True) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            while thread.is_alive() and not closed.is_set():  # so that Ctrl-C is heard
                thread.join(0.2)
        return {host.name: found.get(host.name, EXIT_UNKNOWN) for host in hosts}

    @contextmanager
    def tunnel(self, host: Host, address: str, port: int) -> Iterator[int]:
        """A port of this machine that leads, by way of a host, to a server that the host reaches.

        Yields:
            The port, on 127.0.0.1.

        Raises:
            HostProblem: no connection to the host.
        """
        with self._open(host).tunnel(address, port) as local:
            yield local

    def _command(self, way: Way, host: Host, timeout: float | None = None) -> Command:
        return Command(way, Become.on(host.access), self._password_of(host), timeout)

    def _password_of(self, host: Host) -> str | None:
        return host.become_password if self._password is None else self._password

    def _open(self, host: Host) -> Way:
        with self._locks[host.name]:
            way = self._ways.get(host.name)
            if way is None or not way.open:
                way = self._ways[host.name] = self._opener.open(host)
                if self._closed:
                    way.close()
            return way


def _allow_open_files() -> None:
    """As many as the kernel lets this process have: each host's connection is one, kept for the run."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # "no limit" is no number everywhere
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _place(errors: str) -> str:
    """Where in our programs a traceback ends, for a report of the problem; "" when it does not."""
    found = re.findall(r'File "(toolkit/onhost/[^"]+)", (line \d+)', errors)
    return f" ({', '.join(found[-1])})" if found else ""


def _find_python(host: Host) -> str:
    """Sh commands that set $python, or say that there is none and of which family the host is."""
    named = str(host.variables.get("ansible_python_interpreter") or "")
    if not named or named.startswith("auto"):  # Ansible's words for "find one"
        named = ""
    candidates = shlex.quote(named) if named else "/usr/bin/python3 python3"
    return (
        f"for p in {candidates}; do python=$(command -v $p) && break; done; "
        'test -n "$python" || { . /etc/os-release; '
        f'echo {NO_PYTHON}:{shlex.quote(named)}:"$ID $ID_LIKE" >&2; exit 127; }}; '
    )
