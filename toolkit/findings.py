"""A finding: one thing a check has to say, as data, apart from how it is shown or mended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How bad it is: an error stops a provision before anything changes."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """What a rule found.

    Attributes:
        id: stable dotted name of the rule, for example `ports.taken`.
        severity: see Severity.
        host: inventory name of the host, or "" for the whole cluster.
        what: what was found, with the figure or name, in one sentence.
        why: what would go wrong, in one sentence.
        fix: the command to type, or the edit to make.
        remedy: a shell command that mends it on the host, as root, for `check --fix`; "" where
            that is not safe, or not for a program to decide.
    """

    id: str
    severity: Severity
    host: str
    what: str
    why: str
    fix: str
    remedy: str = ""

    def as_json(self) -> dict[str, Any]:
        """The finding as plain JSON data."""
        return asdict(self)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those findings that must stop a provision."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]
