"""--limit: which hosts a pattern names."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.verbs.init import create


def test_limit_is_ansibles_pattern(tmp_path: Path) -> None:
    cluster = Cluster.load(create(tmp_path / "z", sample="cluster"))

    def names(pattern: str) -> list[str]:
        return [host.name for host in cluster.limited(pattern).hosts]

    assert names("worker") == ["worker1", "worker2"]
    assert names("all:!worker") == ["db1", "airflow1"]
    assert names("worker:&worker2") == ["worker2"]
    assert names("w*1,db1") == ["db1", "worker1"]
    with pytest.raises(ToolkitError, match="matches no host"):
        cluster.limited("nothing")
