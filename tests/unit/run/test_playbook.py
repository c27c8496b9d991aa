"""What is reported of a task that failed, and what our plugins do in ansible-playbook."""

from __future__ import annotations

import gc
import runpy
from pathlib import Path

import toolkit
from toolkit.run.playbook import cause_of

PLUGINS = Path(toolkit.__file__).parent / "run/callback_plugins"


def test_cause_never_shows_a_censored_result() -> None:
    assert "hidden" in cause_of({"censored": "x", "msg": "secret"})
    assert cause_of({"msg": "non-zero return code", "stderr": "no such host\n"}) == (
        "non-zero return code; no such host"
    )
    assert cause_of({"results": [{"failed": False}, {"failed": True, "msg": "second"}]}) == "second"


def test_the_processes_of_tasks_do_not_go_through_the_objects_of_their_parent() -> None:
    before = gc.get_threshold()
    try:
        runpy.run_path(str(PLUGINS / "quick_workers.py"))[
            "CallbackModule"
        ]().v2_playbook_on_play_start(None)
        assert gc.get_threshold()[0] > 100_000
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
