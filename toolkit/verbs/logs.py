"""What the units of all hosts say, merged by time."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable
from itertools import count

from toolkit.cluster import Cluster, Host
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.journal import Line, Wanted, command, newest, parsed, refuse_unknown, units
from toolkit.hosts.way import STDERR, STDOUT
from toolkit.run.by_host import ByHost

_PATIENCE = 0.4
"""Seconds that a line waits, when journals are followed, for an older one of a slower host."""


def logs(
    cluster: Cluster,
    remote: Remote,
    components: tuple[str, ...],
    wanted: Wanted,
    show: Callable[[Line], None],
    lost: Callable[[HostProblem], None],
) -> None:
    """Show lines of the hosts in play.

    Args:
        components: of Airflow, or servers; empty for all.
        show: called with each line, in the order of time.
        lost: called at once with what is wrong with a host, while the others go on.

    Raises:
        ToolkitError: a component that no host has, or journalctl refuses what it is asked.
    """
    refuse_unknown(cluster, cluster.hosts, components)
    patterns = {host.name: units(cluster, host, components) for host in cluster.hosts}
    hosts = [host for host in cluster.hosts if wanted.audit or patterns[host.name]]
    merging = _Merging(hosts, show if wanted.follow else None)
    with merging:
        ended = remote.follow_all(
            hosts, lambda host: command(patterns[host.name], wanted), merging.hear, lost=lost
        )
    if merging.closed:
        raise merging.closed
    if not wanted.follow:
        for line in newest(merging.lines, wanted.lines):
            show(line)
    for name, how in ended.items():
        # 1 is also "no entry that fits" of --grep.
        if isinstance(how, int) and how and merging.errors.get(name):
            raise ToolkitError(
                f"journalctl: {merging.errors[name]}",
                where=name,
                fix='--since takes "10m", "2h", "today", "2026-11-27 21:33"; --grep takes a regular expression',
                exit_code=EXIT_FAILED,
            )


class _Merging:
    """Keeps lines until those of slower hosts have come."""

    def __init__(self, hosts: list[Host], show: Callable[[Line], None] | None) -> None:
        self._parts = ByHost(host.name for host in hosts)
        self._show = show
        self._waiting: list[tuple[float, int, float, Line]] = []
        self._number = count()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self.lines: list[Line] = []
        self.errors: dict[str, str] = {}
        self.closed: BrokenPipeError | None = None

    def __enter__(self) -> None:
        if self._show:
            self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        if self._show:
            self._thread.join(2)

    def hear(self, host: Host, stream: int, chunk: bytes) -> None:
        """Part of what a host says."""
        name = host.name
        if self.closed:
            raise self.closed
        if stream == STDERR:
            self._parts.hear(name, STDERR, chunk, lambda text: self.errors.setdefault(name, text))
            return
        self._parts.hear(name, STDOUT, chunk, lambda text: self._add(parsed(name, text)))

    def _add(self, line: Line | None) -> None:
        if line is None:
            return
        if self._show is None:
            self.lines.append(line)
            return
        with self._lock:
            heapq.heappush(self._waiting, (line.time, next(self._number), time.monotonic(), line))

    def _pass_on(self) -> None:
        try:
            while not self._done.wait(0.1):
                self._flush(time.monotonic() - _PATIENCE)
            self._flush(time.monotonic())
        except BrokenPipeError as error:  # our reader, such as `head`, has seen enough
            self.closed = error

    def _flush(self, before: float) -> None:
        """Show what has waited long enough, and what is older than that."""
        assert self._show
        with self._lock:
            ready = []
            while self._waiting and any(came <= before for _, _, came, _ in self._waiting):
                ready.append(heapq.heappop(self._waiting)[3])
        for line in ready:
            self._show(line)
