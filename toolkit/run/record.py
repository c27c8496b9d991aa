"""Run records and the lock of a cluster, in the state directory of the control machine."""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.content import state_dir
from toolkit.errors import ToolkitError


def cluster_state(directory: Path) -> Path:
    """Where the records of one inventory directory stand; same-named ones are kept apart."""
    digest = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:6]
    return state_dir() / "clusters" / f"{directory.resolve().name}-{digest}"


@contextmanager
def exclusive(directory: Path, command: str) -> Iterator[None]:
    """Hold the cluster's lock. The kernel drops it when the process ends, however it ends.

    Raises:
        ToolkitError: somebody else holds it; says who, since when and with which command.
    """
    path = cluster_state(directory) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise ToolkitError(_held_by(file.read(), directory), where=str(directory),
                               fix="wait for it, or end that process, then try again") from None  # fmt: skip
        file.truncate(0)
        holder = {"user": getpass.getuser(), "machine": socket.gethostname(), "pid": os.getpid(),
                  "since": datetime.now(UTC).isoformat(timespec="seconds"), "command": command}  # fmt: skip
        file.write(json.dumps(holder))
        file.flush()
        yield


def _held_by(text: str, directory: Path) -> str:
    try:
        holder = json.loads(text)
        return (
            f"another run on {directory.name} holds the lock: {holder['user']}@{holder['machine']}, "
            f"process {holder['pid']}, `{holder['command']}`, since {holder['since']}"
        )
    except (ValueError, KeyError):
        return f"another run on {directory.name} has just taken the lock"


@dataclass
class Run:
    """One run's record; written when it starts and again when it ends."""

    directory: Path
    command: str
    started: float = field(default_factory=time.time)
    stages: dict[str, float] = field(default_factory=dict)  # name -> seconds
    result: str = "running"

    @classmethod
    def start(cls, inventory: Path, command: str) -> Run:
        """Make the record's directory and write that the run has begun."""
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
        directory = cluster_state(inventory) / "runs" / stamp
        directory.mkdir(parents=True, mode=0o700)
        run = cls(directory, command)
        run.save()
        return run

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Time one stage."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.stages[name] = round(time.monotonic() - begun, 2)
            self.save()

    def finish(self, result: str) -> None:
        """Record how it ended: succeeded, failed, refused or interrupted."""
        self.result = result
        self.save()

    def write(self, name: str, content: Any) -> Path:
        """Keep a JSON file beside the summary."""
        path = self.directory / name
        path.write_text(json.dumps(content, indent=2, default=str) + "\n", encoding="utf-8")
        path.chmod(0o600)
        return path

    def save(self) -> None:
        """Write summary.json."""
        summary = {**asdict(self), "directory": str(self.directory), "pid": os.getpid(),
                   "seconds": round(time.time() - self.started, 2)}  # fmt: skip
        self.write("summary.json", summary)


def recorded(inventory: Path | None = None) -> list[dict[str, Any]]:
    """Summaries of all runs, newest first; of one inventory when it is given."""
    root = cluster_state(inventory) if inventory else state_dir() / "clusters"
    pattern = "runs/*/summary.json" if inventory else "*/runs/*/summary.json"
    found = []
    for path in root.glob(pattern):
        summary = json.loads(path.read_text(encoding="utf-8"))
        summary["cluster"] = path.parents[2].name.rpartition("-")[0]
        if summary["result"] == "running" and not Path(f"/proc/{summary['pid']}").exists():
            summary["result"] = "killed"
        found.append(summary)
    return sorted(found, key=lambda summary: float(summary["started"]), reverse=True)
