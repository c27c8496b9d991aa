"""What is reported of a task that failed, and what is left of a run."""

from __future__ import annotations

import signal
import subprocess
from pathlib import Path

from toolkit.run.playbook import cause_of, end_left


def test_cause_never_shows_a_censored_result() -> None:
    assert "hidden" in cause_of({"censored": "x", "msg": "secret"})
    assert cause_of({"msg": "non-zero return code", "stderr": "no such host\n"}) == (
        "non-zero return code; no such host"
    )
    assert cause_of({"results": [{"failed": False}, {"failed": True, "msg": "second"}]}) == "second"


def test_what_is_left_of_a_run_is_ended_and_nothing_else(tmp_path: Path) -> None:
    marker = str(tmp_path / "variables.json")
    left, other = (
        subprocess.Popen(["sh", "-c", "sleep 60; :", "ansible-playbook", argument])
        for argument in (f"@{marker}", "@/elsewhere")
    )
    try:
        end_left(marker)
        assert left.wait(timeout=5) == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
