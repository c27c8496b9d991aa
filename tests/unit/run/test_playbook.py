"""What is reported of a task that failed, and what our plugins do in ansible-playbook."""

from __future__ import annotations

import gc
import json
import runpy
import threading
from pathlib import Path

import pytest

import toolkit
from toolkit.cluster import Cluster
from toolkit.run.playbook import Playbook, cause_of
from toolkit.run.record import Run

PLUGINS = Path(toolkit.__file__).parent / "run"


def test_cause_never_shows_a_censored_result() -> None:
    assert "hidden" in cause_of({"censored": "x", "msg": "secret"})
    assert cause_of({"msg": "non-zero return code", "stderr": "no such host\n"}) == (
        "non-zero return code; no such host"
    )
    assert cause_of({"results": [{"failed": False}, {"failed": True, "msg": "second"}]}) == "second"


def test_the_processes_of_tasks_do_not_go_through_the_objects_of_their_parent() -> None:
    before = gc.get_threshold()
    try:
        runpy.run_path(str(PLUGINS / "callback_plugins/quick_workers.py"))[
            "CallbackModule"
        ]().v2_playbook_on_play_start(None)
        assert gc.get_threshold()[0] > 100_000
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)


def test_ansible_waits_for_the_facts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "facts.json"
    monkeypatch.setenv("TOOLKIT_FACTS", str(path))
    cache = runpy.run_path(str(PLUGINS / "cache_plugins/known_facts.py"))["CacheModule"]
    facts = json.dumps({"h1": {"distribution": "Debian"}})
    given = threading.Timer(0.1, lambda: path.write_text(facts))
    given.start()
    known = cache()
    assert not path.exists()
    assert (known.contains("h1"), known.contains("h2")) == (True, False)
    assert known.get("h1") == {"distribution": "Debian"}
    path.write_text("null")
    with pytest.raises(SystemExit):
        cache().contains("h1")


def test_a_playbook_that_is_not_wanted_any_more_leaves_nothing(cluster: Cluster) -> None:
    begun = Run.start(cluster.directory, "provision", "toolkit provision")
    with Playbook(cluster, "provision", begun) as playbook:
        private = Path(playbook._private.name)
    assert not private.exists()
    lines = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline")]
    assert not any(str(private).encode() in line for line in lines)
    assert not playbook._events
