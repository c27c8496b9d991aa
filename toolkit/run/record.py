"""Run records, in the state directory of the control machine."""

from __future__ import annotations

import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.cluster.vaultfile import write_private
from toolkit.content import state_dir


def cluster_state(directory: Path) -> Path:
    """Where the records of one inventory directory are stored; same-named ones are kept apart."""
    digest = hashlib.sha256(str(directory.resolve()).encode()).hexdigest()[:6]
    return state_dir() / "clusters" / f"{directory.resolve().name}-{digest}"


@dataclass
class Run:
    """One run's record; written when it starts and again when it ends."""

    directory: Path
    verb: str
    command: str
    started: float = field(default_factory=time.time)
    stages: dict[str, float] = field(default_factory=dict)  # name -> seconds
    result: str = "running"

    @classmethod
    def start(cls, inventory: Path, verb: str, command: str) -> Run:
        """Make the record's directory and write that the run has begun."""
        run = cls(_new_directory(cluster_state(inventory) / "runs"), verb, command)
        run.save()
        return run

    def finish(self, result: str) -> None:
        """Record how it ended: succeeded, failed, refused or interrupted."""
        self.result = result
        self.save()

    def write(self, name: str, content: Any) -> Path:
        """Keep a JSON file beside the summary."""
        path = self.directory / name
        write_private(path, json.dumps(content, indent=2, default=str) + "\n")
        return path

    def save(self) -> None:
        """Write summary.json."""
        summary = {**asdict(self), "directory": str(self.directory), "pid": os.getpid(),
                   "seconds": round(time.time() - self.started, 2)}  # fmt: skip
        self.write("summary.json", summary)


def _new_directory(runs: Path) -> Path:
    """A directory named by the time, in milliseconds; runs can begin in the same one."""
    while True:
        stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")[:-3] + "Z"
        try:
            (runs / stamp).mkdir(parents=True, mode=0o700)
        except FileExistsError:
            time.sleep(0.001)
        else:
            return runs / stamp


def recorded(inventory: Path | None = None) -> list[dict[str, Any]]:
    """Summaries of all runs, newest first; of one inventory when it is given."""
    root = cluster_state(inventory) if inventory else state_dir() / "clusters"
    pattern = "runs/*/summary.json" if inventory else "*/runs/*/summary.json"
    found = []
    for path in root.glob(pattern):
        try:
            summary = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):  # cut off by a full disk, say; the others still count
            continue
        summary["cluster"] = path.parents[2].name.rpartition("-")[0]
        if summary["result"] == "running" and not Path(f"/proc/{summary['pid']}").exists():
            summary["result"] = "killed"
        found.append(summary)
    return sorted(found, key=lambda summary: float(summary["started"]), reverse=True)
