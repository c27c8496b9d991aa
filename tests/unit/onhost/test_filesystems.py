"""What user airflow cannot read or write. No such user is here, so modes for others count."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from toolkit.onhost import filesystems
from toolkit.onhost.filesystems import READ, WRITE, blocked, parents


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that everybody may read, as are those above it."""
    made = tmp_path / "home" / "dags"
    made.mkdir(parents=True)
    for part in (made, *made.parents[:-1]):
        if part.stat().st_uid == Path.home().stat().st_uid and part != Path("/tmp"):
            part.chmod(0o755)
    return made


def test_what_is_open_or_not_there_yet(folder: Path) -> None:
    folder.chmod(0o777)
    for needs in (READ, WRITE):
        assert blocked([str(folder), str(folder / "later"), f"{folder}/"], needs) == {}


@pytest.mark.parametrize(("mode", "needs", "closed"), [
    (0o711, READ, True), (0o755, READ, False), (0o755, WRITE, True), (0o777, WRITE, False),
])  # fmt: skip
def test_the_folder_itself(folder: Path, mode: int, needs: str, closed: bool) -> None:
    folder.chmod(mode)
    assert blocked([str(folder)], needs) == ({str(folder): str(folder)} if closed else {})


def test_a_directory_above_has_to_be_passed_only(folder: Path) -> None:
    folder.parent.chmod(0o711)
    assert blocked([str(folder)], READ) == {}
    folder.parent.chmod(0o700)
    assert blocked([str(folder), str(folder / "x" / "y")], READ) == {
        str(folder): str(folder.parent),
        str(folder / "x" / "y"): str(folder.parent),
    }


def test_a_file_such_as_an_interpreter(folder: Path) -> None:
    interpreter = folder / "python3"
    interpreter.write_text("")
    interpreter.chmod(0o755)
    assert blocked([str(interpreter)], READ) == {}
    interpreter.chmod(0o700)
    assert blocked([str(interpreter)], READ) == {str(interpreter): str(interpreter)}


def test_parents_from_the_root_on() -> None:
    assert list(parents("/a/b/c")) == ["/", "/a", "/a/b"]
    assert list(parents("/")) == []


def test_a_host_of_ours_without_that_user(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server of databases has what is ours, and nobody to try it as."""
    monkeypatch.setattr(filesystems, "RECORD", str(folder))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert blocked([str(folder), "/usr/local/lib/airflow-toolkit"], READ) == {}
