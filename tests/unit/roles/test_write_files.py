"""The module that writes the roles' files and lists them as ours, on real files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.module import write as write_to


@pytest.fixture
def record(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the list is."""
    return tmp_path_factory.mktemp("lib") / "cluster.json"


@pytest.fixture
def write(record: Path) -> Any:
    """The module, with that list."""
    return lambda *files, **options: write_to(record, *files, **options)


def owned(record: Path) -> Any:
    return json.loads(record.read_text())["owned"]


def state(path: Path) -> tuple[int, ...]:
    """Which file it is, and when it was changed; reading it changes neither."""
    found = path.lstat()
    return (
        found.st_ino,
        found.st_mode,
        found.st_uid,
        found.st_gid,
        found.st_mtime_ns,
        found.st_ctime_ns,
    )


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_what_differs_is_written_and_a_second_run_changes_nothing(
    tmp_path: Path, write: Any
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.write_text("kept\n")
    second.chmod(0o644)
    files = (
        {"path": str(first), "content": "new\n", "mode": "0600"},
        {"path": str(second), "content": "kept\n"},
    )
    assert write(*files)["written"] == [str(first)]
    assert (first.read_text(), mode(first)) == ("new\n", 0o600)
    again = write(*files)
    assert (again["changed"], again["written"]) == (False, [])


def test_another_mode_is_mended_and_the_time_of_the_content_stays(
    tmp_path: Path, write: Any
) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o666)
    os.utime(path, (1, 1))
    assert write({"path": str(path), "content": "x", "mode": "0640"})["changed"]
    assert (mode(path), path.stat().st_mtime) == (0o640, 1)


def test_a_check_writes_nothing(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "file"
    answer = write({"path": str(path), "content": "x", "group": "no-such-group"}, check_mode=True)
    assert answer["written"] == [str(path)]
    assert not path.exists()


def test_a_link_of_ours_is_replaced_and_not_followed(tmp_path: Path, write: Any) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("theirs")
    write({"path": str(path), "link": str(target)})
    write({"path": str(path), "content": "ours"})
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("theirs", "ours", False)


def test_what_a_killed_run_left_and_a_link_in_its_place_do_no_harm(
    tmp_path: Path, write: Any
) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("theirs")
    (tmp_path / "file.toolkit-new").symlink_to(target)
    write({"path": str(path), "content": "ours"})
    assert (target.read_text(), path.read_text()) == ("theirs", "ours")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "target"]


@pytest.mark.parametrize("secret", [True, False])
def test_a_secret_stands_in_no_answer(tmp_path: Path, write: Any, secret: bool) -> None:
    path = tmp_path / "file"
    file = {"path": str(path), "content": "password=swordfish\n", "secret": secret}
    assert "swordfish" not in str(write(file, check_mode=True))
    shown = write(file, check_mode=True, diff=True)
    assert ("swordfish" in str(shown)) is not secret
    assert shown["diff"][0]["after_header"] == str(path)


def test_why_a_file_cannot_be_written_is_said(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "missing/file"
    answer = write({"path": str(path), "content": "swordfish"})
    assert answer["failed"]
    assert answer["msg"].startswith(f"{path} cannot be written")
    assert "swordfish" not in str(answer)


@pytest.mark.parametrize("make", [
    lambda path: path.write_text("theirs"),
    lambda path: path.symlink_to("/dev/null"),
    lambda path: path.symlink_to("no-such-file"),
    lambda path: path.mkdir(),
])  # fmt: skip
@pytest.mark.parametrize("entry", [{"content": "ours"}, {"link": "elsewhere"}, {"absent": True}])
def test_what_is_not_ours_stays_and_nothing_else_is_written(
    tmp_path: Path, write: Any, record: Path, make: Any, entry: dict[str, Any]
) -> None:
    theirs, other = tmp_path / "theirs", tmp_path / "other"
    make(theirs)
    before = state(theirs)
    for check_mode in (True, False):
        answer = write(
            {"path": str(other), "content": "x"},
            {"path": str(theirs)} | entry,
            check_mode=check_mode,
        )
        assert answer["failed"]
        assert f"base_adopt: [{theirs}]" in answer["msg"]
    assert state(theirs) == before
    assert not other.exists()
    assert not record.exists()


def test_what_is_ours_is_listed_with_a_digest_before_it_is_written(
    tmp_path: Path, write: Any, record: Path
) -> None:
    path, cannot = tmp_path / "file", tmp_path / "missing/file"
    answer = write({"path": str(cannot), "content": "x"}, {"path": str(path), "content": "y"})
    assert answer["failed"]
    assert sorted(owned(record)["files"]) == [str(path), str(cannot)]  # a second run continues it
    (tmp_path / "missing").mkdir()
    assert write({"path": str(cannot), "content": "x"})["changed"]


def test_the_same_content_of_somebody_needs_no_question(
    tmp_path: Path, write: Any, record: Path
) -> None:
    path = tmp_path / "file"
    path.write_text("the same")
    assert not write(
        {"path": str(path), "content": "the same", "mode": f"{path.stat().st_mode & 0o777:o}"}
    )["changed"]
    assert str(path) in owned(record)["files"]


def test_what_is_not_wanted_any_more_goes_and_leaves_the_list(
    tmp_path: Path, write: Any, record: Path
) -> None:
    path = tmp_path / "file"
    write({"path": str(path), "content": "x"})
    answer = write({"path": str(path), "absent": True})
    assert (answer["changed"], answer["removed"], path.exists()) == (True, [str(path)], False)
    assert owned(record)["files"] == {}
    assert not write({"path": str(path), "absent": True})["changed"]


def test_a_link_of_ours_is_made_and_moved(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "current"
    assert write({"path": str(path), "link": "one"})["changed"]
    assert not write({"path": str(path), "link": "one"})["changed"]
    assert write({"path": str(path), "link": "two"})["changed"]
    assert str(path.readlink()) == "two"


def test_a_content_that_is_not_valid_is_not_written(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "file"
    write({"path": str(path), "content": "good\n"})
    answer = write({"path": str(path), "content": "bad\n", "validate": "grep -q good %s"})
    assert (answer["failed"], path.read_text()) == (True, "good\n")
    assert list(tmp_path.iterdir()) == [path]
    assert write({"path": str(path), "content": "good 2\n", "validate": "grep -q good %s"})[
        "changed"
    ]


def test_what_a_newer_toolkit_wrote_into_the_list_stays(
    tmp_path: Path, write: Any, record: Path
) -> None:
    record.write_text('{"members": ["h1"], "owned": {"timers": ["x"], "files": {}}}')
    write({"path": str(tmp_path / "file"), "content": "x"})
    found = json.loads(record.read_text())
    assert (found["members"], found["owned"]["timers"]) == (["h1"], ["x"])


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"owned": 1}', '{"owned": {"units": {}}}']
)
def test_a_broken_list_is_one_sentence_and_changes_nothing(
    tmp_path: Path, write: Any, record: Path, text: str
) -> None:
    record.write_text(text)
    answer = write({"path": str(tmp_path / "file"), "content": "x"})
    assert answer["failed"]
    assert f"{record} is broken" in answer["msg"]
    assert "fix:" in answer["msg"]
    assert (list(tmp_path.iterdir()), record.read_text()) == ([], text)


def test_a_release_s_lock_is_not_listed(tmp_path: Path, write: Any, record: Path) -> None:
    path = tmp_path / "3.3.2-abc.lock"
    path.write_text("cut off")
    assert write({"path": str(path), "content": "whole", "listed": False})["changed"]
    assert owned(record)["files"] == {}


def test_a_directory_is_made_and_never_changed(tmp_path: Path, write: Any, record: Path) -> None:
    made, there, file = tmp_path / "a" / "b", tmp_path / "there", tmp_path / "file"
    there.mkdir(mode=0o700)
    file.write_text("")
    entries = [{"path": str(path), "directory": True, "mode": "0750"} for path in (made, there)]
    assert write(*entries)["written"] == [str(made)]
    assert (mode(made), mode(made.parent), mode(there)) == (0o750, 0o755, 0o700)
    assert write(*entries)["changed"] is False
    assert owned(record)["files"] == {}
    assert "not ours" in write({"path": str(file), "directory": True})["msg"]


def test_the_directory_of_a_drop_in_is_made_with_it_and_goes_with_it(
    tmp_path: Path, write: Any
) -> None:
    path = tmp_path / "server.service.d/airflow-toolkit.conf"
    write({"path": str(path), "content": "[Service]\n"})
    assert (path.read_text(), mode(path.parent)) == ("[Service]\n", 0o755)
    write({"path": str(path), "absent": True})
    assert not path.parent.exists()
    write({"path": str(path), "content": "[Service]\n"})
    (path.parent / "theirs.conf").touch()
    write({"path": str(path), "absent": True})
    assert [one.name for one in path.parent.iterdir()] == ["theirs.conf"]
