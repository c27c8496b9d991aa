"""The module that writes the roles' files, on real files."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[3] / "roles/base/library/write_files.py"
ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name


def write(*files: dict[str, Any], **options: bool) -> dict[str, Any]:
    """What the module answers, as Ansible calls it."""
    wanted = [{"owner": ME, "group": MINE, **file} for file in files]
    arguments = {"files": wanted} | {f"_ansible_{name}": value for name, value in options.items()}
    profile = {"ANSIBLE_MODULE_ARGS": arguments}
    done = subprocess.run(
        [sys.executable, "-c", START, str(MODULE)], input=json.dumps(profile), text=True,
        capture_output=True, check=False,
    )  # fmt: skip
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


START = """
import runpy, sys
from ansible.module_utils import basic
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_what_differs_is_written_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
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


def test_another_mode_is_mended_and_the_time_of_the_content_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("x")
    path.chmod(0o666)
    os.utime(path, (1, 1))
    assert write({"path": str(path), "content": "x", "mode": "0640"})["changed"]
    assert (mode(path), path.stat().st_mtime) == (0o640, 1)


def test_a_check_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "file"
    answer = write({"path": str(path), "content": "x", "group": "no-such-group"}, check_mode=True)
    assert answer["written"] == [str(path)]
    assert not path.exists()


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("theirs")
    path.symlink_to(target)
    write({"path": str(path), "content": "ours"})
    assert (target.read_text(), path.read_text(), path.is_symlink()) == ("theirs", "ours", False)


def test_what_a_killed_run_left_and_a_link_in_its_place_do_no_harm(tmp_path: Path) -> None:
    target, path = tmp_path / "target", tmp_path / "file"
    target.write_text("theirs")
    (tmp_path / "file.toolkit-new").symlink_to(target)
    write({"path": str(path), "content": "ours"})
    assert (target.read_text(), path.read_text()) == ("theirs", "ours")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["file", "target"]


@pytest.mark.parametrize("secret", [True, False])
def test_a_secret_stands_in_no_answer(tmp_path: Path, secret: bool) -> None:
    path = tmp_path / "file"
    file = {"path": str(path), "content": "password=swordfish\n", "secret": secret}
    assert "swordfish" not in str(write(file, check_mode=True))
    shown = write(file, check_mode=True, diff=True)
    assert ("swordfish" in str(shown)) is not secret
    assert shown["diff"][0]["after_header"] == str(path)


def test_why_a_file_cannot_be_written_is_said(tmp_path: Path) -> None:
    path = tmp_path / "missing/file"
    answer = write({"path": str(path), "content": "swordfish"})
    assert answer["failed"]
    assert answer["msg"].startswith(f"{path} cannot be written")
    assert "swordfish" not in str(answer)
