"""Counts of what is under way on hosts, for a person who watches: packages, parts of an environment.

Only where lines are drawn on a terminal: each count costs a short program on the host.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from toolkit.cluster import Host
from toolkit.hosts import HostProblem, Remote
from toolkit.onhost.bundle import program

SECONDS = 2.0
"""Between two counts."""


class Counting:
    """Which hosts do something that can be counted, and how far they are.

    Args:
        remote: the connections to the hosts.
        payload: what toolkit/onhost/counts.py is given.
        report: called with a host's name and how far it is ("24 of 41").
    """

    def __init__(
        self,
        remote: Remote,
        payload: Mapping[str, Any],
        report: Callable[[str, str], None],
    ) -> None:
        self._remote = remote
        self._payload = payload
        self._report = report
        self._under_way: dict[str, tuple[Host, str]] = {}
        self._ended = threading.Event()

    def under_way(self, host: Host, what: str) -> None:
        """What can be counted on a host from now on; "" for nothing."""
        if what:
            self._under_way[host.name] = host, what
        else:
            self._under_way.pop(host.name, None)

    @contextmanager
    def going(self) -> Iterator[None]:
        """Count while this lasts."""
        thread = threading.Thread(target=self._count, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()

    def _count(self) -> None:
        while not self._ended.wait(SECONDS):
            for host, what in list(self._under_way.values()):
                try:
                    answer = self._remote.run_script(
                        host, program("counts"), self._payload, timeout=10
                    )
                except HostProblem:
                    continue
                # Something else may have begun meanwhile.
                if answer[what] and self._under_way.get(host.name) == (host, what):
                    self._report(host.name, answer[what])
