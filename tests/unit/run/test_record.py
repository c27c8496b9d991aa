"""A run's lock and its record."""

from __future__ import annotations

import json

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.run import record


def test_the_lock_names_its_holder(cluster: Cluster) -> None:
    with (
        record.exclusive(cluster.directory, "toolkit provision"),
        pytest.raises(ToolkitError, match=r"process \d+, `toolkit provision`"),
        record.exclusive(cluster.directory, "toolkit verify"),
    ):
        pass
    with record.exclusive(cluster.directory, "again"):
        pass


def test_a_record_whose_process_is_gone_was_killed(cluster: Cluster) -> None:
    run = record.Run.start(cluster.directory, "toolkit provision")
    path = run.directory / "summary.json"
    summary = json.loads(path.read_text())
    assert record.recorded(cluster.directory)[0]["result"] == "running"
    path.write_text(json.dumps(summary | {"pid": 2**22 + 1}))
    assert record.recorded(cluster.directory)[0]["result"] == "killed"
