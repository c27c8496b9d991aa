"""What is wrong, as data: a finding, and the catalog that explains every kind of finding.

A catalog is a file `*.findings.yml` beside the code whose findings it describes: title, severity,
reason, remedy, and the story that led to the check.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import ToolkitError

_PACKAGE = Path(__file__).parent
_CATALOG = ".findings.yml"


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
        remedy: a shell command that corrects it on the host, as root, for `check --fix`; "" where
            that is not safe, or not for a program to decide.
    """

    id: str
    severity: Severity
    host: str
    what: str
    why: str
    fix: str
    remedy: str = ""

    @classmethod
    def of(
        cls,
        id: str,
        *,
        what: str,
        fix: str,
        host: str = "",
        severity: Severity | None = None,
        why: str = "",
        remedy: str = "",
    ) -> Finding:
        """A finding whose severity and `why` are the catalog's, unless a rule knows better."""
        entry = entries()[id]
        return cls(id, severity or entry.severities[0], host, what, why or entry.why, fix, remedy)

    def as_json(self) -> dict[str, Any]:
        """The finding as plain JSON data."""
        return asdict(self)


def errors(findings: Iterable[Finding]) -> list[Finding]:
    """Those findings that must stop a provision."""
    return [finding for finding in findings if finding.severity is Severity.ERROR]


def in_order(findings: Iterable[Finding]) -> list[Finding]:
    """Findings by topic, in the catalog's order; those of a topic stay as they came."""
    orders = {topic.name: topic.order for topic in topics()}
    return sorted(findings, key=lambda finding: orders[finding.id.partition(".")[0]])


def findings_text(findings: Iterable[Finding]) -> str:
    """Findings as a table. Below what was found are the reason and the fix, each whole on a line
    of its own, so that a command can be copied.
    """
    headings = ("SEVERITY", "HOST", "FINDING", "WHAT")
    rows = [headings]
    for finding in findings:
        rows.append((finding.severity.value, finding.host or "-", finding.id, finding.what))
        rows += [("", "", "", f"why: {finding.why}")] if finding.why else []
        rows += [("", "", "", f"fix: {finding.fix}")] if finding.fix else []
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )


@dataclass(frozen=True)
class Entry:
    """One kind of finding.

    Attributes:
        id: dotted name, for example `ports.taken`.
        title: what is wrong, in a few words.
        severities: those it can have, the usual one first.
        why: what would go wrong.
        fix: how to correct it, in general; a finding names host, file and command.
        stories: what happened to people before there was this check: number -> sentence.
    """

    id: str
    title: str
    severities: tuple[Severity, ...]
    why: str
    fix: str
    stories: Mapping[str, str]

    def __str__(self) -> str:
        """As `toolkit check --explain` prints it."""
        severities = " or ".join(severity.value for severity in self.severities)
        lines = [f"{self.id} ({severities})", f"  {self.title}.", f"  why: {self.why}"]
        lines += [f"  fix: {self.fix}"]
        lines += [f"  story {number}: {text}" for number, text in self.stories.items()]
        return "\n".join(lines)


@dataclass(frozen=True)
class Topic:
    """Findings whose ids begin with the same word.

    Attributes:
        name: that word, and the name of the catalog's file.
        about: what its findings are about, as a heading.
        order: where it comes among the others; the smallest is first.
        entries: its findings.
    """

    name: str
    about: str
    order: int
    entries: tuple[Entry, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """All findings: a topic a catalog file, in the order that these name."""
    stories = _read(_PACKAGE / "checks" / "stories.yml")
    found = []
    for path in _PACKAGE.rglob(f"*{_CATALOG}"):
        name, topic = path.name.removesuffix(_CATALOG), _read(path)
        entries = [
            _entry(f"{name}.{key}", data, stories) for key, data in topic["findings"].items()
        ]
        found.append(Topic(name, topic["about"], topic["order"], tuple(entries)))
    return tuple(sorted(found, key=lambda topic: topic.order))


@cache
def entries() -> Mapping[str, Entry]:
    """Every finding by its id."""
    return {entry.id: entry for topic in topics() for entry in topic.entries}


def explain(id: str) -> Entry:
    """The entry of a finding.

    Raises:
        ToolkitError: there is none; names the nearest.
    """
    if id in entries():
        return entries()[id]
    near = difflib.get_close_matches(id, entries(), 1, 0.5)
    raise ToolkitError(
        f"there is no finding {id}" + (f"; did you mean {near[0]}?" if near else ""),
        fix=f"toolkit check --explain {near[0] if near else 'ports.taken'}",
    )


def _entry(id: str, data: Mapping[str, Any], stories: Mapping[str, str]) -> Entry:
    severity = data["severity"]
    return Entry(
        id=id,
        title=data["title"],
        severities=tuple(map(Severity, [severity] if isinstance(severity, str) else severity)),
        why=data["why"],
        fix=data["fix"],
        stories={number: stories[number] for number in data.get("stories", ())},
    )


def _read(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found
