"""What is left of a playbook run when the toolkit ends."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toolkit.run.guard import guarded

HOLD = "import sys, time; from pathlib import Path; from toolkit.run.guard import guarded\n"
HOLD += "with guarded(Path(sys.argv[1])): print('on', flush=True); time.sleep(60)"


def playbook(file: Path) -> subprocess.Popen[bytes]:
    """A process that looks like ansible-playbook with this file of variables."""
    return subprocess.Popen(["sh", "-c", "sleep 60; :", "ansible-playbook", f"@{file}"])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_toolkit_that_is_killed_leaves_no_playbook(tmp_path: Path, how: signal.Signals) -> None:
    mine, other = playbook(tmp_path / "mine"), playbook(tmp_path / "other")
    toolkit = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path / "mine")], stdout=subprocess.PIPE
    )
    try:
        assert toolkit.stdout
        toolkit.stdout.readline()
        assert mine.poll() is None
        toolkit.send_signal(how)
        assert mine.wait(timeout=10) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        for process in (mine, other, toolkit):
            process.kill()


def test_nothing_is_left_when_the_block_ends(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("secret")
    with guarded(tmp_path / "mine"):
        left = playbook(tmp_path / "mine")
        time.sleep(0.2)
    assert left.wait(timeout=1) == -signal.SIGKILL
    assert not (tmp_path / "mine").exists()
