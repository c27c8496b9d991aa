"""The lock of a cluster on this machine: one run at a time for each inventory directory.

It is an flock: the kernel drops it when the process ends, however it ends, so a stale one cannot
exist. Runs from other machines are kept apart by the lease (lease.py).
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.run.holder import Holder
from toolkit.run.record import cluster_state


@contextmanager
def exclusive(directory: Path, holder: Holder) -> Iterator[None]:
    """Hold the lock of an inventory directory.

    Raises:
        ToolkitError: another process holds it; names it, since when and with which command.
    """
    path = cluster_state(directory) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ToolkitError(
                _held_by(file.read(), directory),
                where=str(directory),
                fix="wait for it, or end that process, then try again",
            ) from None
        file.truncate(0)
        file.write(json.dumps({**holder.as_json(), "pid": os.getpid()}))
        file.flush()
        yield


def _held_by(text: str, directory: Path) -> str:
    try:
        held = json.loads(text)
        return (
            f"another run on {directory.name} holds the lock: {held['user']}@{held['machine']}, "
            f"process {held['pid']}, `{held['command']}`, since {held['since']}"
        )
    except (ValueError, KeyError):
        return f"another run on {directory.name} has just taken the lock"
