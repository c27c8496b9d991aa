"""Airflow's own API client, in an environment of its own on this machine: its dependencies never meet ours."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path

from toolkit.cluster.resolve import causes
from toolkit.content import cache_dir
from toolkit.errors import EXIT_FAILED, ToolkitError

PATIENCE = 2.0
"""Seconds that pass before it is said what takes so long."""
_LOCK = files("toolkit.run").joinpath("airflowctl.lock")


def version() -> str:
    """The client's version, as it is pinned."""
    found = re.search(r"^apache-airflow-ctl==(\S+)", _LOCK.read_text("ascii"), re.M)
    assert found
    return found[1]


def installed(index_url: str | None, say: Callable[[str], None]) -> Path:
    """The Python of the client's environment, which is made first where there is none.

    Args:
        index_url: the package index; None for the one that uv is configured with.
        say: called with a line when that takes long.

    Raises:
        ToolkitError: a package cannot be had.
    """
    home = cache_dir() / "airflowctl"
    environment = home / f"{version()}-{_key()}"
    python = environment / "bin/python"
    if python.exists():
        return python
    home.mkdir(parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not python.exists():
            with _slow(say):
                for left in home.glob(".new-*"):  # of a run that was killed
                    shutil.rmtree(left, ignore_errors=True)
                _make(environment, index_url)
    return python


def _key() -> str:
    """What the environment is made of: the packages, and this Python, whose successor needs another one."""
    text = f"{_LOCK.read_text('ascii')}{sys.version}{sys.base_prefix}"
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _make(environment: Path, index_url: str | None) -> None:
    """Make it under another name: what has its name is complete."""
    with tempfile.TemporaryDirectory(dir=environment.parent, prefix=".new-") as scratch:
        made = Path(scratch) / "environment"
        _uv(index_url, "venv", "--quiet", "--python", sys.executable, str(made))
        with as_file(_LOCK) as lock:
            _uv(index_url, "pip", "install", "--quiet", "--require-hashes", "--no-deps",
                "--only-binary", ":all:", "--python", str(made / "bin/python"), "-r", str(lock))  # fmt: skip
        shutil.rmtree(environment, ignore_errors=True)  # one whose Python is gone
        made.rename(environment)


def _uv(index_url: str | None, *arguments: str) -> None:
    """Call uv; the index, which may have a password, goes by environment.

    Raises:
        ToolkitError: it fails.
    """
    from uv import find_uv_bin

    index = {"UV_DEFAULT_INDEX": index_url} if index_url else {}
    chosen = os.environ | index | {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}
    done = subprocess.run([find_uv_bin(), *arguments], env=chosen, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, check=False)  # fmt: skip
    if done.returncode:
        raise ToolkitError(
            f"airflowctl {version()} cannot be installed on this machine: {causes(done.stderr)}",
            fix="check the network and python_index_url (or uv's own configuration), then the same command again",
            exit_code=EXIT_FAILED,
        )


@contextmanager
def _slow(say: Callable[[str], None]) -> Iterator[None]:
    words = f"installing Airflow's client airflowctl {version()} on this machine, once"
    timer = threading.Timer(PATIENCE, say, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
