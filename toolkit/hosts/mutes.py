"""The mutes of `toolkit health`, which are on the first scheduler host (toolkit/onhost/mutes.py)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.errors import ToolkitError
from toolkit.hosts import Remote
from toolkit.hosts.answer import read
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class Mute:
    """What does not count for the exit status of `toolkit health`.

    Attributes:
        code: id of a finding.
        by: who muted it, user@machine.
        since: seconds since the epoch.
        until: the same; None for no end.
        sticky: whether it stays when the finding is gone.
        count: how many findings of that id there were; None where there was none.
        severity: the worst of theirs; "" where there was none.
        hosts: that had one, "" the cluster; None where there was none.
    """

    code: str
    by: str = ""
    since: float = 0.0
    until: float | None = None
    sticky: bool = False
    count: int | None = None
    severity: str = ""
    hosts: tuple[str, ...] | None = None


def mutes_host(cluster: Cluster) -> Host | None:
    """Where the mutes of a cluster are: its first scheduler host, whatever the limit."""
    return next(iter(cluster.group("scheduler")), None)


def mutes_in(answer: Mapping[str, Any]) -> tuple[Mute, ...]:
    """The mutes that a host answered with; one of a newer toolkit is read as far as it is known."""
    return tuple(read(Mute, data) for data in answer.get("mutes", {}).values() if "code" in data)


def ask_mutes(remote: Remote, host: Host) -> tuple[Mute, ...]:
    """The mutes that there are.

    Raises:
        HostProblem: the host cannot be asked.
    """
    return mutes_in(remote.run_script(host, program("mutes"), {"audit": ""}))


def set_mute(remote: Remote, host: Host, mute: Mute, seconds: float | None, audit: str) -> Mute:
    """Mute a code, in place of an earlier mute of it; returns the mute with the host's times.

    Args:
        seconds: how long; None for no end.
        audit: the line in the host's journal.

    Raises:
        ToolkitError: the host cannot be worked on, or was never provisioned.
    """
    wanted = {"code": mute.code, "by": mute.by, "sticky": mute.sticky, "count": mute.count,
              "severity": mute.severity, "hosts": mute.hosts, "seconds": seconds}  # fmt: skip
    answer = remote.run_script(host, program("mutes"), {"set": wanted, "audit": audit})
    made = next((one for one in mutes_in(answer) if one.code == mute.code), None)
    if made is None:
        raise ToolkitError("nothing is provisioned here yet, so no mute can be kept", where=host.name,
                           fix="toolkit provision first")  # fmt: skip
    return made


def remove_mutes(
    remote: Remote, host: Host, wanted: Mapping[str, float | None], audit: str
) -> tuple[str, ...]:
    """Remove mutes; returns the codes that were muted until now.

    Args:
        wanted: code -> `since` of the mute that is meant; None for whichever there is.
        audit: the line in the host's journal.

    Raises:
        HostProblem: the host cannot be worked on.
    """
    answer = remote.run_script(host, program("mutes"), {"remove": dict(wanted), "audit": audit})
    return tuple(answer["changed"])
