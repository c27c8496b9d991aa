"""Host patterns as Ansible has them: names, groups, globs, ~regex, & and !, [subscripts], @files.

As ansible.inventory.manager does it, without the second that its import takes; a contract test
compares the two. What Ansible takes for something else in silence is refused.
"""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from toolkit.cluster.yamlfile import read_text
from toolkit.errors import ToolkitError

Groups = Mapping[str, Sequence[str]]
"""Group -> names of its hosts; groups and hosts in Ansible's order."""

_PART = re.compile(r"(?:[^\s:\[\]]|\[[^\]]*\])+")
_HOST_AND_PORT = re.compile(r"(?:[\w.-]|\[[^\]]*\])+:[0-9]+")
_SUBSCRIPT = re.compile(r"(.+)\[(?:(-?[0-9]+)|([0-9]+)[:-]([0-9]*))\]")
_KINDS = "&!"


@dataclass(frozen=True)
class Pattern:
    """A pattern that was read: what is chosen, then what all must be in, then what is left out."""

    chosen: tuple[str, ...]
    within: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def hosts(self, hosts: Sequence[str], groups: Groups) -> set[str]:
        """The names of the hosts that it selects.

        Args:
            hosts: all of them, in Ansible's order.

        Raises:
            ToolkitError: a subscript is beyond the hosts, or a regular expression is none.
        """
        found: set[str] = set()
        for part in self.chosen:  # a host comes before a group of its name, but only here
            found.update([part] if part in hosts else _matches(part, hosts, groups))
        for part in self.within:
            found &= set(_matches(part, hosts, groups))
        for part in self.without:
            found -= set(_matches(part, hosts, groups))
        return found


def match(pattern: str, hosts: Sequence[str], groups: Groups) -> set[str]:
    """The names of the hosts that an Ansible pattern selects (see `Pattern.hosts`)."""
    return parse(pattern).hosts(hosts, groups)


def parse(pattern: str) -> Pattern:
    """Read a pattern, and the files that it names.

    Raises:
        ToolkitError: a part of it has no meaning, or a file cannot be read.
    """
    kinds: dict[str, list[str]] = {"": [], "&": [], "!": []}
    for part in _parts(pattern):
        kind = part[0] if part[0] in _KINDS else ""
        name = part.removeprefix(kind)
        if not name or name == "~":
            raise _unreadable(pattern, f"{part!r} names nothing")
        kinds[kind].append(name)
    if not any(kinds.values()):
        raise _unreadable(pattern, "it is empty")
    # As in Ansible: unions first, then intersections, then exclusions, in whatever order they are written.
    return Pattern(tuple(kinds[""] or ["all"]), tuple(kinds["&"]), tuple(kinds["!"]))


def with_absolute_files(pattern: str) -> str:
    """The same pattern for a program that runs in another directory."""
    return re.sub(r"(^|[,:\s])@([^,:\s]+)", lambda m: f"{m[1]}@{Path(m[2]).absolute()}", pattern)


def _parts(pattern: str) -> Iterator[str]:
    for part in _split(pattern):
        if part.startswith("@"):
            lines = read_text(_existing(pattern, part[1:])).splitlines()
            yield from (line.strip() for line in lines if line.strip())
        else:
            yield part


def _split(pattern: str) -> list[str]:
    if "," in pattern:
        found = pattern.split(",")
    elif _is_address(pattern) or _HOST_AND_PORT.fullmatch(pattern):
        found = [pattern]
    else:
        found = _PART.findall(pattern)
        if re.sub(r"[\s:]", "", pattern) != re.sub(r"[\s:]", "", "".join(found)):
            raise _unreadable(pattern, "a bracket is not closed")
    return [part.strip() for part in found if part.strip()]


def _is_address(text: str) -> bool:
    with suppress(ValueError):
        ipaddress.ip_address(text)
        return True
    return False


def _existing(pattern: str, name: str) -> Path:
    path = Path(name)
    if not name or not path.is_file():
        raise _unreadable(pattern, f"there is no file {name}" if name else "@ names no file")
    return path


def _matches(part: str, hosts: Sequence[str], groups: Groups) -> Sequence[str]:
    """The hosts of one part, in the order that its subscript counts in."""
    found = None if part.startswith("~") else _SUBSCRIPT.fullmatch(part)
    if found is None:
        return _named(part, hosts, groups)
    name, index, start, end = found.groups()
    names = _named(name, hosts, groups)
    if not names:
        return names
    if index is None and end != "0":  # Ansible takes [2:0] for [2]
        return names[int(start) : int(end) + 1 if end else None]
    try:
        return [names[int(index or start)]]
    except IndexError:
        raise _unreadable(part, f"{name} has {len(names)} host(s)") from None


def _named(name: str, hosts: Iterable[str], groups: Groups) -> list[str]:
    """The hosts of the groups of that name, and those of that name where it can be several."""
    matches = _matcher(name)
    chosen = [group for group in groups if matches(group)]
    found = [host for group in chosen for host in groups[group]]
    if not chosen or name[0] == "~" or set(name) & set(".?*["):
        found += [host for host in hosts if matches(host)]
    return found


def _matcher(name: str) -> Callable[[str], object]:
    try:
        return re.compile(name[1:] if name[0] == "~" else fnmatch.translate(name)).match
    except (re.error, RecursionError, OverflowError) as error:
        raise _unreadable(name, f"it is no regular expression: {error}") from None


def _unreadable(pattern: str, why: str) -> ToolkitError:
    return ToolkitError(
        f"{pattern!r} is no pattern of hosts: {why}",
        where="--limit",
        fix="write names, groups, globs or ~regex, such as worker, 'all:!worker' or 'worker[0]'",
    )
