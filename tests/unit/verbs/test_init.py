"""A new inventory: which host is in which group; existing files stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.cluster.hosts_file import spread
from toolkit.content import refused_by_system
from toolkit.errors import ToolkitError
from toolkit.verbs.init import create, parse_assignments


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


@pytest.mark.parametrize(
    "assignment",
    ["x=2024-13-01", "x=2024-02-30", "x=!!int ''", "x=[", "x=" + "[" * 3000, "x=!!bool y", "x", "=1", "",
     "x={a: 1, a: 2}", "x=&a [*a]", "x=0x" + "f" * 6000],
    ids=lambda text: text[:14],
)  # fmt: skip
def test_a_value_that_cannot_be_read(assignment: str) -> None:
    with pytest.raises(ToolkitError, match="--set") as told:
        parse_assignments([assignment])
    assert told.value.fix


def test_one_setting_is_given_once() -> None:
    with pytest.raises(ToolkitError, match="--set a is given twice"):
        parse_assignments(["a=1", "a=2"])


@pytest.mark.parametrize("name", ["a/b/c", "x"])
def test_a_refused_inventory_leaves_no_directory_behind(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolkitError):
        create(tmp_path / name, settings={"airflow_web_port": "x"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "place", ["/proc/nosuch/x", "/sys/x", "/dev/null/x", "{}/file/x", "{}/" + "x" * 300]
)
def test_where_no_inventory_can_be(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError) as told:
        create(Path(place.format(tmp_path)))
    assert refused_by_system(told.value).what.startswith("this machine refuses: ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    create(Path())
    assert (tmp_path / "hosts.yml").is_file()
    assert Cluster.load(Path()).name == tmp_path.name
