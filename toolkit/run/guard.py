"""Ends what is left of a playbook run, however the toolkit ends, SIGKILL included.

A process of its own waits until its standard input is closed, which the kernel does when the toolkit
is gone. Then it kills what has the run's private file in its command line: ansible-playbook, and
mitogen's multiplexer, which has a session of its own and was seen to live on when it had just begun.
The file goes too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def guarded(file: Path) -> Iterator[None]:
    """While this lasts processes with this file in their command line may live, and no longer."""
    guard = subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is not for it
    )
    assert guard.stdin
    try:
        guard.stdin.write(f"{file}\n".encode())
        guard.stdin.flush()
        yield
    finally:
        guard.stdin.close()
        guard.wait()


def end_left(file: str) -> None:
    """Kill every process of ours that has this file in its command line."""
    for entry in Path("/proc").iterdir():
        try:
            found = entry.name.isdigit() and file.encode() in (entry / "cmdline").read_bytes()
        except OSError:  # it has ended meanwhile, or is not ours to read
            continue
        if found:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signal.SIGKILL)


if __name__ == "__main__":
    named = sys.stdin.readline().strip()
    sys.stdin.read()  # until nobody holds the other end
    if named:
        end_left(named)
        Path(named).unlink(missing_ok=True)  # it may hold sudo's password
