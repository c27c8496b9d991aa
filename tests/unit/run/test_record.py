"""A run's record."""

from __future__ import annotations

import json

from toolkit.cluster import Cluster
from toolkit.run import record


def test_a_record_whose_process_is_gone_was_killed(cluster: Cluster) -> None:
    run = record.Run.start(cluster.directory, "provision", "toolkit provision")
    path = run.directory / "summary.json"
    summary = json.loads(path.read_text())
    assert record.recorded(cluster.directory)[0]["result"] == "running"
    path.write_text(json.dumps(summary | {"pid": 2**22 + 1}))
    assert record.recorded(cluster.directory)[0]["result"] == "killed"


def test_one_broken_record_does_not_hide_the_others(cluster: Cluster) -> None:
    record.Run.start(cluster.directory, "provision", "toolkit provision")
    broken = record.Run.start(cluster.directory, "verify", "toolkit verify")
    (broken.directory / "summary.json").write_text('{"verb": ')
    assert [run["verb"] for run in record.recorded(cluster.directory)] == ["provision"]


def test_runs_of_one_millisecond_have_a_record_each(cluster: Cluster) -> None:
    runs = [record.Run.start(cluster.directory, "verify", "toolkit verify") for _ in range(40)]
    assert len({run.directory for run in runs}) == 40
    assert all(run.directory.stat().st_mode & 0o777 == 0o700 for run in runs)
