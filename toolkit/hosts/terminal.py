"""A command with this terminal connected to it, by the runners of invoke and fabric."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from invoke.watchers import StreamWatcher

from toolkit.hosts.way import EXIT_UNKNOWN, Reply


class _Once(StreamWatcher):
    """Answers the first question only: later ones are the command's own, and the user's to answer."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self._reply = reply
        self._given = False

    def submit(self, stream: str) -> Iterator[str]:
        """What to type, given all that was printed so far (called by invoke)."""
        if not self._given and re.search(self._reply.prompt, stream):
            self._given = True
            yield self._reply.text + "\n"


def run(context: Any, line: str, reply: Reply | None) -> int:
    """Run a line; returns its exit status.

    Args:
        context: invoke's Context, for this machine, or fabric's Connection.
    """
    watchers = [_Once(reply)] if reply else []
    result = context.run(line, pty=True, warn=True, hide=False, watchers=watchers, shell="/bin/sh")
    return EXIT_UNKNOWN if result.exited < 0 else int(result.exited)
