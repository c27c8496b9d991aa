"""What there is to say about every finding: read from rules/catalog.yml, the single source."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from toolkit.errors import ToolkitError
from toolkit.findings import Severity


@dataclass(frozen=True)
class Entry:
    """One kind of finding.

    Attributes:
        id: dotted name, for example `ports.taken`.
        title: what is wrong, in a few words.
        severities: those it can have, the usual one first.
        why: what would go wrong.
        fix: how to mend it, in general; a finding names host, file and command.
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
    """Findings whose ids begin with the same word."""

    name: str
    about: str
    entries: tuple[Entry, ...]


@cache
def topics() -> tuple[Topic, ...]:
    """All findings, in the order of the file."""
    stories = _read("stories.yml")
    return tuple(
        Topic(
            name,
            topic["about"],
            tuple(
                _entry(f"{name}.{key}", data, stories) for key, data in topic["findings"].items()
            ),
        )
        for name, topic in _read("catalog.yml").items()
    )


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


def _read(name: str) -> dict[str, Any]:
    text = (files("toolkit") / "rules" / name).read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found
