"""Lines from several hosts on one terminal: each with its host's name, in the host's colour."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TextIO

import click

_COLOURS = (
    "cyan",
    "green",
    "yellow",
    "magenta",
    "blue",
    "bright_cyan",
    "bright_green",
    "bright_yellow",
)


class ByHost:
    """Writes whole lines.

    Args:
        names: of the hosts.
        separator: between a name and its line.
    """

    def __init__(self, names: Iterable[str], separator: str = " | ") -> None:
        self._names = list(names)
        self._width = max(map(len, self._names), default=0)
        self._separator = separator
        self._rests: defaultdict[tuple[str, int], bytes] = defaultdict(bytes)

    def name(self, host: str, stream: TextIO = sys.stdout) -> str:
        """A host's name, as wide as the widest."""
        text = host.ljust(self._width)
        if not _coloured(stream) or host not in self._names:
            return text
        return click.style(text, fg=_COLOURS[self._names.index(host) % len(_COLOURS)])

    def write(self, host: str, line: str, stream: TextIO | None = None) -> None:
        """One line of a host."""
        target = stream or sys.stdout
        click.echo(f"{self.name(host, target)}{self._separator}{line}", file=target, color=True)

    def hear(self, host: str, kind: int, chunk: bytes, whole: Callable[[str], object]) -> None:
        """Part of what a host writes; `whole` is called with each line that is complete."""
        *lines, self._rests[host, kind] = (self._rests[host, kind] + chunk).split(b"\n")
        for line in lines:
            whole(line.decode(errors="replace").rstrip("\r"))

    def rest(self, host: str, kind: int) -> str:
        """What came after the last line; "" when nothing did."""
        return self._rests.pop((host, kind), b"").decode(errors="replace")


def _coloured(stream: TextIO) -> bool:
    return stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
