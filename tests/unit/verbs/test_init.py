"""A new inventory: which host is in which group; existing files stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.cluster.hosts_file import spread
from toolkit.errors import ToolkitError
from toolkit.verbs.init import create


def test_a_target_becomes_a_single_host(cluster: Cluster) -> None:
    assert [host.name for host in cluster.hosts] == ["10.0.0.1"]
    assert set(cluster.hosts[0].groups) == {"metadata_db", "scheduler", "webserver"}
    assert cluster.hosts[0].user == "kim"
    assert cluster.executor == "LocalExecutor"


def test_more_targets_become_workers(tmp_path: Path) -> None:
    made = create(tmp_path / "x", groups=spread(["a@h1", "a@h2:2222", "a@h3"]))
    cluster = Cluster.load(made)
    assert [host.name for host in cluster.group("worker")] == ["h2", "h3"]
    assert cluster.host("h2").port == 2222
    assert cluster.executor == "CeleryExecutor"


def test_an_inventory_is_never_overwritten(cluster: Cluster) -> None:
    before = {path: path.stat().st_mtime_ns for path in cluster.directory.rglob("*")}
    with pytest.raises(ToolkitError, match="not empty"):
        create(cluster.directory)
    assert before == {path: path.stat().st_mtime_ns for path in cluster.directory.rglob("*")}


def test_a_wrong_setting_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="airflow_web_port"):
        create(tmp_path / "y", settings={"airflow_web_prot": 1})
    assert list(tmp_path.iterdir()) == []
