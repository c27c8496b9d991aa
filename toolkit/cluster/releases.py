"""What each release line of Airflow knows: its options, schemas, and the sizes of its packages.

release_N.json beside this file is written by script/releases, which asks Airflow itself.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from toolkit.cluster.tables import release_lines

_OWN_KEYS = ("_transport_options",)
"""Ends of the names of sections that are passed on whole, to libraries with options of their own."""
INDIRECT = ("_cmd", "_secret")
"""What may follow the name of an option, to have its value come from elsewhere."""


@dataclass(frozen=True)
class Known:
    """What a release line knows; written by script/releases from Airflow itself.

    Attributes:
        version: the release that was asked.
        options: section -> option -> string, integer, float or boolean.
        moved: section.option as it was -> as it is.
        removed: section.option -> what Airflow says to it, which may be "".
        schemas: versions of the database's schema, the newest first.
    """

    version: str
    options: Mapping[str, Mapping[str, str]]
    moved: Mapping[str, str]
    removed: Mapping[str, str]
    schemas: tuple[str, ...]

    def kind(self, section: str, option: str) -> str | None:
        """The type of an option; None for one that there is not."""
        if section.endswith(_OWN_KEYS) and section in self.options:
            return "string"
        found = self.options.get(section, {})
        for end in INDIRECT:
            if option.endswith(end) and option.removesuffix(end) in found:
                return "string"
        return found.get(option)

    def nearest(self, section: str, option: str) -> str | None:
        """The option most like an unknown one: of its section, else the same of another."""
        near = difflib.get_close_matches(option, self.options.get(section, ()), 1, 0.7)
        if near:
            return f"{section}.{near[0]}"
        return next(
            (f"{name}.{option}" for name, has in self.options.items() if option in has), None
        )


@cache
def known(version: str) -> Known | None:
    """The options of the release line that a version belongs to; None for an unsupported one."""
    line = version.partition(".")[0]
    if line not in release_lines():
        return None
    data = _data(line)
    return Known(
        data["version"], data["options"], data["moved"], data["removed"], tuple(data["schemas"])
    )


@cache
def package_bytes() -> dict[str, int]:
    """Package -> size of its file, of those in the shipped locks (x86_64, Python 3.11)."""
    found: dict[str, int] = {}
    for line in release_lines():
        found |= _data(line)["bytes"]
    return found


@cache
def _data(line: str) -> dict[str, Any]:
    text = (files("toolkit.cluster") / f"release_{line}.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
