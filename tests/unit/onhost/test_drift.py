"""Files that somebody changed: the program on real files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost import drift


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `record` is given: the files of a directory."""
    monkeypatch.setattr(drift, "MANIFEST", str(tmp_path / "lib" / "manifest.json"))
    for name in ("lib", "etc"):
        (tmp_path / name).mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "etc" / name).write_text(f"secret of {name}\n")
    (tmp_path / "etc" / "current").symlink_to("a")
    return {"files": [str(tmp_path / "etc" / "*")]}


def test_what_was_changed_is_named_and_nothing_else(files: dict[str, Any], tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    assert drift.drift() == {}
    assert drift.record(files) == {"files": 4}
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
    drift.record(files)
    assert drift.drift() == {}


def test_the_manifest_is_private_and_stays_as_it_is(files: dict[str, Any], tmp_path: Path) -> None:
    drift.record(files)
    path = tmp_path / "lib" / "manifest.json"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in text
    drift.record(files)
    assert path.read_text() == text


def test_a_host_without_the_toolkit_gets_no_manifest(files: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "lib").rmdir()
    assert drift.record(files) == {"files": 0}
    assert drift.drift() == {}
