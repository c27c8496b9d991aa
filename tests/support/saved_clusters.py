"""Provisioned clusters for tests that only need one that runs: made once a session, then brought back.

All workers of a session share one directory. A cluster has a lock file there: whoever holds it has
the cluster's addresses, so files that need the same cluster wait for each other. The directory of a
session that was killed goes when the next one begins, with its hosts and saved labs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from support.lab_cluster import REPOSITORY, TIMEOUT, TOOLKIT, Cluster
from support.settle import settle
from toolkit.content import digest

SHARED = "TOOLKIT_E2E_SHARED"
_PREFIX = "toolkit-e2e-"


@dataclass(frozen=True)
class Made:
    """A cluster that is made once: the lab's name, and how many hosts it has."""

    lab: str
    hosts: int

    @property
    def saved(self) -> str:
        """Its name as a saved lab; code that has changed since finds another one, and makes it."""
        return f"{self.lab}-{digest()[:12]}"


SINGLE = Made("e2eone", 1)
FOUR = Made("e2efour", 4)


@dataclass(frozen=True)
class Provisioned(Cluster):
    """A cluster that was brought back, and what its first provision printed."""

    first_stdout: str
    first_stderr: str


def open_session() -> IO[str]:
    """Make this session's directory; the file that is returned says, while it is open, that it lives."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), _alive(left):
            _clear(left)
    new = Path(tempfile.mkdtemp(prefix="toolkit-new-"))
    alive = _alive(new)
    os.environ[SHARED] = str(new.rename(new.with_name(_PREFIX + new.name[-8:])))
    return alive


def _alive(directory: Path) -> IO[str]:
    file = (directory / "alive").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file


def close_session() -> None:
    """Remove the session's directory, and what was saved or brought back there."""
    _clear(Path(os.environ.pop(SHARED)))


def _clear(directory: Path) -> None:
    environment = _environment(directory)
    if (directory / "state").exists():
        _lab(environment, "down", "--all")
        listed = _lab(environment, "list", "--saved", "--json").stdout
        for saved in json.loads(listed or "[]"):
            _lab(environment, "forget", saved["name"])
    shutil.rmtree(directory)


def _environment(directory: Path) -> dict[str, str]:
    return os.environ | {"XDG_STATE_HOME": str(directory / "state"), "COLUMNS": "200"}


def _lab(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([TOOLKIT, "lab", *arguments], env=environment, check=False,
                          capture_output=True, text=True, timeout=TIMEOUT)  # fmt: skip


@contextlib.contextmanager
def brought_back(made: Made, scratch: Path) -> Iterator[Provisioned]:
    """A cluster as its first provision left it, for as long as the block lasts.

    Args:
        scratch: where its inventory goes.
    """
    shared = Path(os.environ[SHARED])
    environment = _environment(shared)
    with (shared / f"{made.lab}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        printed = _printed(made, shared)
        directory = scratch / made.lab
        back = _lab(environment, "up", "--from", made.saved, "-i", str(directory))
        try:
            assert back.returncode == 0, back.stdout + back.stderr
            cluster = Provisioned(directory, environment, *printed)
            wait_for_heartbeats(cluster)
            yield cluster
        finally:
            _lab(environment, "down", made.lab)
            settle()


def wait_for_heartbeats(cluster: Cluster) -> None:
    """Its units run as soon as it has booted; provision would have waited for this.

    A component whose host was quicker than the database's is restarted by systemd, and status says so.
    """
    deadline = time.monotonic() + 120
    while True:
        command = [TOOLKIT, "status", "-i", str(cluster.directory), "--json"]
        done = subprocess.run(
            command, env=cluster.environment, check=False, capture_output=True, text=True
        )
        found = json.loads(done.stdout)
        ages = [
            row["heartbeat_age"]
            for row in found.get("rows", [])
            if row["component"] in {"scheduler", "triggerer"}
        ]
        if found["ok"] and ages and all(age is not None and age < 30 for age in ages):
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.5)


def _printed(made: Made, shared: Path) -> tuple[str, str]:
    """What the first provision printed, from another worker or by making and saving the cluster."""
    record = shared / f"{made.saved}.json"
    if not record.exists():
        record.write_text(json.dumps(_make(made, shared)))
    done, stdout, stderr = json.loads(record.read_text())
    assert done == 0, f"{made.lab} could not be provisioned\n{stdout}{stderr}"
    return stdout, stderr


def _make(made: Made, shared: Path) -> tuple[int, str, str]:
    """Provision and save it; a single host by script/demo, as a newcomer does."""
    environment, inventory = _environment(shared), shared / "inventory" / made.lab
    if made.hosts == 1:
        command = [str(REPOSITORY / "script/demo"), "-i", str(inventory)]
    else:
        _lab(
            environment, "up", "--name", made.lab, "--hosts", str(made.hosts), "-i", str(inventory)
        )
        command = [TOOLKIT, "provision", "-i", str(inventory)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True,
                          timeout=TIMEOUT)  # fmt: skip
    kept = (
        _lab(environment, "save", made.saved, "-i", str(inventory)) if not done.returncode else done
    )
    _lab(environment, "down", made.lab)
    settle()
    if kept.returncode:
        return kept.returncode, kept.stdout, kept.stderr
    return 0, done.stdout, done.stderr
