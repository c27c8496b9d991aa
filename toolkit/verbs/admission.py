"""What hosts outside of a --limit have to know of new hosts inside, so that these can work (playbooks/admit.yml)."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.members import newcomers
from toolkit.run.playbook import Outcome, Playbook
from toolkit.run.session import Session

GROUPS = {"metadata_db", "scheduler"}
"""The hosts of playbooks/admit.yml."""


class Admission:
    """The playbook that admits new hosts, run beside the one that provisions them."""

    def __init__(self, cluster: Cluster, work: Session) -> None:
        self.cluster = cluster
        self.work = work
        self.new: list[Host] = []
        """Hosts in play that those outside of the limit do not know yet."""
        self._open = ExitStack()
        self._outcome: Future[Outcome] | None = None

    def __enter__(self) -> Admission:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def find(self, remote: Remote) -> None:
        """Find out who is new, from the first host that answers."""
        for host in self._outside:
            try:
                self.new = newcomers(self.cluster, remote, host)
                return
            except HostProblem as problem:
                self.work.progress.say(
                    f"{host.name} cannot be asked whether it knows all hosts in play: {problem.what}"
                )

    @property
    def hosts(self) -> list[Host]:
        """Those that have to know of new ones."""
        return self._outside if self.new else []

    @property
    def _outside(self) -> list[Host]:
        outside = [host for host in self.cluster.all_hosts if host not in self.cluster.hosts]
        return [host for host in outside if GROUPS.intersection(host.groups)]

    def begin(self, variables: Mapping[str, Any]) -> None:
        """Begin, if there is anybody to admit."""
        if not self.hosts:
            return
        options, pattern = self.work.options, ",".join(host.name for host in self.hosts)
        playbook = self._open.enter_context(
            Playbook(
                self.cluster.limited(pattern), "admit", self.work.record, prefix="admit-",
                check=options.dry, become_password=options.become_password, variables=variables,
                cancelled=self.work.interrupts.asked,
            )
        )  # fmt: skip
        pool = self._open.enter_context(ThreadPoolExecutor(1))
        self._outcome = pool.submit(playbook.run, {}, lambda _: None)

    def ended(self) -> Outcome:
        """How it ended."""
        return self._outcome.result() if self._outcome else Outcome(ok=True)
