"""Plain words for what Ansible does: read from words.yml, so that no line names a role or a task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@dataclass(frozen=True)
class Words:
    """What a person reads of one task.

    Attributes:
        text: what happens, for example "installing packages".
        counts: what can be counted on the host meanwhile: "packages", "environment" or "".
        group: in which group a change is counted at the end.
    """

    text: str
    counts: str = ""
    group: str = "host"


_UNKNOWN = Words("preparing the host")


def words_for(role: str, task: str) -> Words:
    """The words for a task of a role."""
    known = _table().get(role)
    if known is None:
        return _UNKNOWN
    chosen = next(entry for entry in known["tasks"] if task.startswith(entry["begins"]))
    return Words(chosen["words"], chosen.get("counts", ""), known["group"])


@cache
def _table() -> dict[str, Any]:
    text = (files("toolkit.run") / "words.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found
