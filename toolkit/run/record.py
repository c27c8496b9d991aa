"""Run records, in the state directory of the control machine."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.cluster.vaultfile import write_private
from toolkit.content import state_dir


def cluster_state(directory: Path) -> Path:
    """Where the records of one inventory directory are stored; same-named ones are kept apart."""
    digest = hashlib.sha256(os.fsencode(directory.resolve())).hexdigest()[:6]
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


_FORM: Mapping[str, type | tuple[type, ...]] = {
    "command": str, "directory": str, "pid": int, "result": str, "seconds": (int, float),
    "stages": dict, "started": (int, float), "verb": str,
}  # fmt: skip
"""What a summary has to be, to be one."""


def recorded(inventory: Path | None = None) -> list[dict[str, Any]]:
    """Summaries of all runs, newest first; of one inventory when it is given."""
    found = []
    for path in summaries(inventory):
        summary = _summary(path)
        if summary is None:  # cut off by a full disk, say; the others still count
            continue
        summary["cluster"] = path.parents[2].name.rpartition("-")[0]
        if summary["result"] == "running" and not Path(f"/proc/{summary['pid']}").exists():
            summary["result"] = "killed"
        found.append(summary)
    return sorted(found, key=lambda summary: float(summary["started"]), reverse=True)


def summaries(inventory: Path | None = None) -> list[Path]:
    """The files that runs are recorded in."""
    root = cluster_state(inventory) if inventory else state_dir() / "clusters"
    return list(root.glob("runs/*/summary.json" if inventory else "*/runs/*/summary.json"))


def unreadable(inventory: Path | None = None) -> list[Path]:
    """Records that were cut off, or are not ours."""
    return [path for path in summaries(inventory) if _summary(path) is None]


def _summary(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        for name, kind in _FORM.items():
            if not isinstance(found[name], kind):
                return None
        time.localtime(found["started"])
        found["stages"] = {str(name): float(value) for name, value in found["stages"].items()}
    except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None
    return dict(found)
