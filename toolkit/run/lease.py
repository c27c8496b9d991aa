"""The lease on a cluster: while one control machine works on it, no other does.

It is a file on the first scheduler host (toolkit/onhost/lease.py), renewed every RENEW seconds. One
that was not renewed for STALE seconds belongs to a run that died.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.durations import written
from toolkit.errors import ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.onhost.bundle import program
from toolkit.run.holder import Holder

RENEW = 10.0
"""Seconds between two renewals."""
STALE = 30.0
"""Seconds after which a lease that was not renewed may be taken over."""


def lease_host(cluster: Cluster) -> Host | None:
    """Where the lease of a cluster is: its first scheduler host, whatever the limit."""
    return next(iter(cluster.group("scheduler")), None)


class Lease:
    """The lease of one run; renews itself in a thread until it is released.

    Args:
        remote: the connections to the cluster's hosts.
        host: where the lease is.
        holder: who takes it.
    """

    def __init__(self, remote: Remote, host: Host, holder: Holder) -> None:
        self._remote = remote
        self.host = host
        self._holder = holder
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)

    def take(self) -> None:
        """Take the lease and keep it.

        Raises:
            ToolkitError: another control machine works on the cluster; says who and how long.
            HostProblem: the host cannot be worked on.
        """
        answer = self._ask("take")
        if answer["held"]:
            raise _taken(answer["held"], answer["seconds"], self.host)
        self._thread.start()

    def release(self) -> None:
        """Stop renewing; the lease itself goes with the run's last word to the hosts."""
        self._released.set()

    def _renew(self) -> None:
        while not self._released.wait(RENEW):
            # A host that cannot be reached for a moment; the next renewal may come in time.
            try:
                self._ask("renew")
            except HostProblem:
                continue

    def _ask(self, action: str) -> dict[str, Any]:
        payload = {"action": action, "holder": self._holder.as_json(), "stale": STALE}
        return self._remote.run_script(self.host, program("lease"), payload)


def end(remote: Remote, hosts: list[Host], holder: Holder, audit: str) -> None:
    """The last word of a run to its hosts: release the lease, leave a line in the journal.

    Args:
        hosts: every host that was worked on, the lease's among them.
        audit: the line; "" for none, where nothing was done.
    """
    payload = {"action": "end", "holder": holder.as_json(), "stale": STALE, "audit": audit}
    remote.fan_out(hosts, program("lease"), payload, timeout=10)


def _taken(held: Mapping[str, str], seconds: float, host: Host) -> ToolkitError:
    return ToolkitError(
        f"{held['user']}@{held['machine']} works on this cluster, for {written(seconds)} now "
        f"(since {held['since']}): {held['command']}",
        where=host.name,
        fix=f"wait until that run has ended; one that died is forgotten after {STALE:.0f} seconds",
    )
