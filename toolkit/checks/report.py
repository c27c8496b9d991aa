"""What findings of a running cluster come to: one word, lines, and what is muted; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.findings import Finding, Severity
from toolkit.hosts.mutes import Mute

_RANK = {Severity.NOTE: 0, Severity.WARNING: 1, Severity.ERROR: 2}
_WORDS = ("HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR")
"""By rank, which is the exit status as well."""


@dataclass(frozen=True)
class Line:
    """What is wrong with one host, or with the cluster: the findings of one id.

    Attributes:
        findings: at least one.
        mute: why it does not count; None where it does.
    """

    findings: tuple[Finding, ...]
    mute: Mute | None = None

    @property
    def code(self) -> str:
        """The findings' id."""
        return self.findings[0].id

    @property
    def host(self) -> str:
        """The host, "" for the whole cluster."""
        return self.findings[0].host

    @property
    def rank(self) -> int:
        """How bad the worst of them is."""
        return worst(self.findings)

    @property
    def what(self) -> str:
        """The first of them in a sentence, and how many more there are."""
        more = len(self.findings) - 1
        return self.findings[0].what + (f", and {more} more" if more else "")


@dataclass(frozen=True)
class Ended:
    """A mute that has ended, and why."""

    mute: Mute
    why: str


@dataclass(frozen=True)
class Report:
    """How a cluster is.

    Attributes:
        lines: the worst first.
        mutes: that hold.
        ended: mutes that were there and hold no longer.
    """

    lines: tuple[Line, ...]
    mutes: tuple[Mute, ...] = ()
    ended: tuple[Ended, ...] = field(default=())

    @property
    def counted(self) -> list[Line]:
        """The lines that count: errors and warnings that are not muted."""
        return [line for line in self.lines if line.rank and not line.mute]

    @property
    def muted(self) -> list[Line]:
        """The lines that would count."""
        return [line for line in self.lines if line.rank and line.mute]

    @property
    def status(self) -> int:
        """0 well, 1 warnings, 2 errors."""
        return max((line.rank for line in self.counted), default=0)

    @property
    def headline(self) -> str:
        """For example "HEALTH_WARN 2 (1 muted)"."""
        words = [_WORDS[self.status]]
        words += [str(len(self.counted))] if self.counted else []
        words += [f"({len(self.muted)} muted)"] if self.muted else []
        return " ".join(words)

    def as_json(self) -> dict[str, Any]:
        """The report as plain JSON data; every finding for itself."""
        return {
            "status": _WORDS[self.status],
            "ok": self.status == 0,
            "counted": len(self.counted),
            "muted": len(self.muted),
            "findings": [
                finding.as_json() | {"muted": line.mute is not None}
                for line in self.lines
                for finding in line.findings
            ],
            "mutes": [vars(mute) for mute in self.mutes],
            "ended_mutes": [vars(one.mute) | {"why": one.why} for one in self.ended],
        }


def report(
    findings: Iterable[Finding], mutes: Iterable[Mute], now: float, *, whole: bool
) -> Report:
    """The report of what was found.

    Args:
        now: seconds since the epoch by the clock of the host with the mutes.
        whole: whether all there is was seen; otherwise no mute ends as its finding is gone.
    """
    found = list(findings)
    ends = {mute.code: why_ended(mute, found, now, whole=whole) for mute in mutes}
    held = {mute.code: mute for mute in mutes if not ends[mute.code]}
    ended = tuple(Ended(mute, ends[mute.code]) for mute in mutes if ends[mute.code])
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in found:
        groups.setdefault((finding.id, finding.host), []).append(finding)
    lines = [Line(tuple(ones), held.get(code)) for (code, _), ones in groups.items()]
    lines.sort(key=lambda line: -line.rank)
    return Report(tuple(lines), tuple(held.values()), ended)


def why_ended(mute: Mute, found: Sequence[Finding], now: float, *, whole: bool) -> str:
    """Why a mute holds no longer; "" where it does."""
    mine = [finding for finding in found if finding.id == mute.code]
    if mute.until is not None and now >= mute.until:
        return "its time is over"
    if not mine:
        return "" if mute.sticky or not whole else "what it muted is gone"
    if mute.count is not None and len(mine) > mute.count:
        return f"{len(mine)} findings in place of {mute.count}"
    if mute.hosts is not None and (new := {finding.host for finding in mine} - set(mute.hosts)):
        return f"{', '.join(name or 'the cluster' for name in sorted(new))} has it as well"
    if mute.severity and worst(mine) > _RANK[Severity(mute.severity)]:
        return "it has become an error"
    return ""


def worst(found: Iterable[Finding]) -> int:
    """How bad the worst finding is: 0 notes alone, 1 a warning, 2 an error."""
    return max((_RANK[finding.severity] for finding in found), default=0)
