"""Workers taken out of work: told to consume nothing more, waited for, stopped; and back."""

from __future__ import annotations

import time
from collections.abc import Iterable

from toolkit.cluster import Cluster, Host
from toolkit.durations import written
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import draining
from toolkit.hosts.draining import Running, Tasks
from toolkit.hosts.typed import journal
from toolkit.run.session import Session

RESTART = "restart"
"""Why a host is marked that a rolling restart has drained; one that was cut off goes on there."""
SILENCE = 60.0
"""Seconds that a worker may be silent while its tasks are waited for."""
DEADLINE = 7200.0
"""Seconds that tasks may take to end, unless the command line says otherwise."""


class Draining:
    """The steps for some workers of a cluster, within a run.

    Args:
        why: what the mark says: drain, remove, or RESTART for one that is on its way back.
    """

    def __init__(
        self, cluster: Cluster, work: Session, hosts: Iterable[Host], why: str = "drain"
    ) -> None:
        self.cluster = cluster
        self.work = work
        self.hosts = list(hosts)
        self.why = why
        self.left: dict[str, Tasks] = {}
        """Host -> what its worker has to do yet."""

    def begin(self) -> bool:
        """They are marked, and consume nothing more.

        Raises:
            ToolkitError: a worker that runs does not do so.
        """
        remote, holder = self.work.connect(self.cluster), self.work.holder
        told = draining.begin(remote, self.hosts, f"{holder.user}@{holder.machine}", self.why)
        return self._all_well({
            name: one.error or ("" if one.answers else "its worker does not answer")
            for name, one in told.items()
        })  # fmt: skip

    def wait(self, deadline: float) -> bool:
        """Wait until they have no task any more.

        Args:
            deadline: seconds.

        Returns:
            Whether none has.

        Raises:
            ToolkitError: a worker that runs does not answer.
        """
        remote, until = self.work.connect(self.cluster), time.monotonic() + deadline
        waiting = self.hosts
        heard = {host.name: time.monotonic() for host in waiting}
        while waiting:
            self.left = draining.tasks(remote, waiting)
            heard |= {name: time.monotonic() for name, one in self.left.items() if one.answers}
            # The broker may be away for a moment, or the worker busy.
            self._all_well({
                name: one.error or "its worker does not answer any more"
                for name, one in self.left.items()
                if time.monotonic() - heard[name] > SILENCE
            })  # fmt: skip
            waiting = [
                host
                for host in waiting
                if self.left[host.name].tasks or not self.left[host.name].answers
            ]
            if waiting and time.monotonic() > until:
                return False
            for host in self.hosts:
                found = self.left[host.name].tasks if host in waiting else ()
                self.work.progress.host(host.name, listed(found))
        return True

    def stop(self) -> bool:
        """Stop them, also over reboots.

        Raises:
            ToolkitError: systemd does not.
        """
        remote = self.work.connect(self.cluster)
        timeouts = [
            self.cluster.setting("airflow_worker_stop_timeout", host) for host in self.hosts
        ]
        allowed = max((one for one in timeouts if isinstance(one, int)), default=0)
        stopped = draining.stop(remote, self.hosts, allowed)
        return self._all_well({
            name: one.error or ("" if one.active in ("inactive", "failed") else f"it is {one.active}")
            for name, one in stopped.items()
        })  # fmt: skip

    def back(self) -> bool:
        """They work again.

        Raises:
            ToolkitError: one does not consume its queues.
        """
        told = draining.back(self.cluster, self.work.connect(self.cluster), self.hosts)
        for name in [name for name, one in told.items() if one.stale]:
            self.work.progress.say(
                f"{name} has tasks, so it goes on with the settings from before the last provision: "
                f"toolkit restart -i {self.cluster.inventory} worker --limit {name} --rolling"
            )
        return self._all_well({
            name: one.error or ("" if one.answers else "its worker does not answer yet")
            for name, one in told.items()
        })  # fmt: skip

    def _all_well(self, errors: dict[str, str]) -> bool:
        """True, unless something is wrong with one of them."""
        for name, error in errors.items():
            if error:
                raise ToolkitError(
                    error, where=name,
                    fix=f"{journal(self.cluster.host(name).access, 'worker')}; a worker that hangs is ended with its tasks by "
                    f"toolkit stop -i {self.cluster.inventory} worker --limit {name} --yes, then the same command again",
                    exit_code=EXIT_FAILED,
                )  # fmt: skip
        return True

    def unfinished(self) -> tuple[str, str]:
        """After `wait` came to its deadline: a host, and what its worker still does."""
        for name, one in self.left.items():
            if one.tasks:
                return name, f"still runs {listed(one.tasks)}"
        silent = [name for name, one in self.left.items() if not one.answers]
        return silent[0], "does not say what it runs: no answer by way of the broker"


def listed(tasks: Iterable[Running]) -> str:
    """Tasks for people, the one that has run longest first: "3 tasks: report.load for 12 min, ..."."""
    found = sorted(tasks, key=lambda one: one.since or time.time())
    if not found:
        return ""
    words = [f"{one.dag}.{one.task}{_since(one)}" for one in found[:2] if one.dag]
    more = ", ..." if len(found) > 2 else ""
    count = f"{len(found)} task{'s' * (len(found) > 1)}"
    return f"{count}: {', '.join(words)}{more}" if words else count


def _since(task: Running) -> str:
    if task.since is None:
        return ""
    return f" for {written(time.time() - task.since)}"
