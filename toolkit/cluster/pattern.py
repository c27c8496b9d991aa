"""Host patterns as Ansible has them: names, groups, globs, ~regex, & and !."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from typing import Protocol


class Named(Protocol):
    """What a pattern is matched with: a host's name and its groups."""

    @property
    def name(self) -> str:
        """The inventory name."""

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group it is in."""


def match(pattern: str, hosts: Iterable[Named]) -> set[str]:
    """Host names an Ansible host pattern selects: names, groups, globs, ~regex, & and !."""
    hosts = list(hosts)
    chosen: set[str] = set()
    parts = [part.strip() for part in re.split(r"[,:]", pattern) if part.strip()]
    # As in Ansible: unions first, then intersections, then exclusions, in whatever order they are written.
    parts.sort(key=lambda part: {"&": 1, "!": 2}.get(part[0], 0))
    if parts and parts[0][0] in "&!":
        chosen = {host.name for host in hosts}
    for part in parts:
        names = {host.name for host in hosts if _matches_one(part.lstrip("&!"), host)}
        if part[0] == "&":
            chosen &= names
        elif part[0] == "!":
            chosen -= names
        else:
            chosen |= names
    return chosen


def _matches_one(part: str, host: Named) -> bool:
    names = (host.name, "all", *host.groups)
    if part.startswith("~"):
        return any(re.search(part[1:], name) for name in names)
    return any(fnmatch.fnmatchcase(name, part) for name in names)
