"""How a running cluster is: the findings, what of them is muted, and waiting for a state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from toolkit.checks.health import seen_whole, unhealthy
from toolkit.checks.report import Ended, Report, report, worst
from toolkit.checks.thresholds import QUEUED
from toolkit.cluster import Cluster, Host, Inventory
from toolkit.errors import ToolkitError
from toolkit.findings import Finding, Severity
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.health import Seen, look
from toolkit.hosts.mutes import Mute, mutes_host, remove_mutes, set_mute
from toolkit.run.holder import Holder
from toolkit.verbs.status import Comparison

_SEVERITIES = {1: Severity.WARNING, 2: Severity.ERROR}
_NOT_SEEN = ("secrets.not_compared", "health.not_examined")
"""Findings that say that something was not looked at, so that no mute ends."""
_UNREACHABLE = 5.0
"""Seconds until a host counts as unreachable: whoever asks how a cluster is waits for the answer."""


@contextmanager
def asking(
    inventory: Inventory, limit: str | None, password: str | None, command: str = ""
) -> Iterator[Health]:
    """A cluster to be asked how it is, with its connections.

    Args:
        password: sudo's (-K); None leaves it to the inventory.
        command: the command line, for the journal.

    Raises:
        ToolkitError: the inventory cannot be read, or no host matches the limit.
    """
    cluster = Cluster.load(inventory).limited(limit)
    vault = Comparison(cluster)
    with Remote(cluster, become_password=password, connect_timeout=_UNREACHABLE) as remote:
        yield Health(cluster, remote, vault, command)


class Health:
    """A cluster that is asked how it is, as often as one likes, by connections that are kept.

    Args:
        command: the command line, for the journal.
    """

    def __init__(
        self, cluster: Cluster, remote: Remote, vault: Comparison, command: str = ""
    ) -> None:
        self.cluster = cluster
        self._remote = remote
        self._vault = vault
        self._command = command

    def report(self) -> Report:
        """How it is now; mutes that have ended are removed."""
        return self.judged()[0]

    def judged(self) -> tuple[Report, Seen]:
        """The same, with what was seen."""
        seen = look(self.cluster, self._remote, QUEUED)
        found = unhealthy(self.cluster, seen)
        found += self._vault.differences(state for state in seen.states if not state.problem)
        # Without the vault the database was not examined either.
        closed = any(finding.id in _NOT_SEEN for finding in found)
        whole = seen_whole(self.cluster, seen) and not closed
        made = report(found, seen.mutes, seen.clock, whole=whole)
        if made.ended:
            self._forget(made.ended)
        return made, seen

    def mute(self, code: str, seconds: float | None, *, sticky: bool) -> Mute:
        """Mute the findings of a code as they are now.

        Args:
            seconds: how long at most; None for no end.
            sticky: also when they are gone; the code need not be found now.

        Raises:
            ToolkitError: nothing has that code now, or the host that has the mutes cannot be worked on.
        """
        host = self._host()
        mine = [one for one in self._found() if one.id == code]
        if not mine and not sticky:
            raise ToolkitError(
                f"nothing to mute: there is no {code} in this cluster now",
                fix="with --sticky it is muted before it comes, and stays so",
            )
        severity = _SEVERITIES.get(worst(mine))
        wanted = Mute(code, self._who, sticky=sticky, count=len(mine) or None,
                      severity=severity.value if severity else "",
                      hosts=tuple(sorted({one.host for one in mine})) if mine else None)  # fmt: skip
        return set_mute(self._remote, host, wanted, seconds, self._audit("succeeded"))

    def unmute(self, code: str) -> bool:
        """End a mute; whether there was one.

        Raises:
            HostProblem: the host that has the mutes cannot be worked on.
        """
        audit = self._audit("succeeded")
        return bool(remove_mutes(self._remote, self._host(), {code: None}, audit))

    def _found(self) -> list[Finding]:
        made = self.report()
        return [finding for line in made.lines for finding in line.findings]

    def _forget(self, ended: tuple[Ended, ...]) -> None:
        """Remove mutes that have ended; the next call does where this one cannot."""
        host, now = mutes_host(self.cluster), {one.mute.code: one.mute.since for one in ended}
        words = "; ".join(f"the mute of {one.mute.code} has ended: {one.why}" for one in ended)
        with suppress(HostProblem):
            if host:
                remove_mutes(self._remote, host, now, f"{self._who} health: {words}")

    def _host(self) -> Host:
        host = mutes_host(self.cluster)
        if host is None:
            raise ToolkitError("the inventory has no scheduler host, where mutes are kept")
        return host

    @property
    def _who(self) -> str:
        holder = Holder.of(self.cluster.directory, self._command)
        return f"{holder.user}@{holder.machine}"

    def _audit(self, how: str) -> str:
        return f"{self._who} health: {how} ({self._command})"
