"""Files that somebody changed: the program on real files, which the module write_files has listed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.module import write

from toolkit.onhost import drift, ownership


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files and a link of ours."""
    record, etc = tmp_path / "lib/cluster.json", tmp_path / "etc"
    etc.mkdir()
    files = [{"path": str(etc / name), "content": f"secret of {name}\n"} for name in "abc"]
    write(record, *files, {"path": str(etc / "current"), "link": "a"})
    monkeypatch.setattr(ownership, "RECORD", str(record))
    monkeypatch.setattr(ownership, "DIRECTORY", str(tmp_path / "lib"))
    monkeypatch.setattr(ownership, "MANIFEST", str(tmp_path / "lib/manifest.json"))
    return etc


def test_what_was_changed_is_named_and_nothing_else(etc: Path) -> None:
    assert drift.drift() == {}
    (etc / "a").write_text("changed\n")
    (etc / "b").chmod(0o777)
    (etc / "c").unlink()
    (etc / "current").unlink()
    (etc / "current").symlink_to("b")
    assert drift.drift() == {
        str(etc / "a"): "changed",
        str(etc / "b"): "mode",
        str(etc / "c"): "missing",
        str(etc / "current"): "changed",
    }


def test_a_directory_in_place_of_a_file_is_a_change(etc: Path) -> None:
    (etc / "a").unlink()
    (etc / "a").mkdir()
    assert drift.drift() == {str(etc / "a"): "changed"}


def test_the_list_is_private_and_holds_no_content(etc: Path) -> None:
    path = Path(ownership.RECORD)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in path.read_text()
    assert str(etc / "a") in path.read_text()


def test_the_manifest_of_an_earlier_toolkit_counts_where_there_is_no_list(etc: Path) -> None:
    path = Path(ownership.RECORD)
    record = json.loads(path.read_text())
    old = {"key": record["key"], "files": record["owned"]["files"]}
    Path(ownership.MANIFEST).write_text(json.dumps(old))
    path.unlink()
    assert drift.drift() == {}
    (etc / "a").unlink()
    assert drift.drift() == {str(etc / "a"): "missing"}


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"owned": []}', '{"owned": {"files": {"/x": 1}}}']
)
@pytest.mark.usefixtures("etc")
def test_of_a_broken_list_nothing_is_known(text: str) -> None:
    Path(ownership.RECORD).write_text(text)
    assert drift.drift() == {}


@pytest.mark.usefixtures("etc")
def test_a_host_without_the_toolkit_has_none() -> None:
    Path(ownership.RECORD).unlink()
    assert drift.drift() == {}
