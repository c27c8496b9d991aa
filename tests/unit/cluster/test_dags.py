"""What of a folder becomes a release, and what cannot."""

from __future__ import annotations

import os
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest

from toolkit.cluster import dags
from toolkit.cluster.dags import differences, pack, release_id
from toolkit.errors import ToolkitError
from toolkit.hosts.dags import fingerprints


def made(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def paths(root: Path) -> list[str]:
    return [one.path for one in pack(root).files]


def test_a_flat_folder_has_its_dags_in_dags(tmp_path: Path) -> None:
    assert paths(made(tmp_path, "a.py", "sub/b.py", "plugins/c.py")) == [
        "dags/a.py", "dags/plugins/c.py", "dags/sub/b.py",
    ]  # fmt: skip


def test_a_project_stays_as_it_is_and_its_airflowignore_goes_to_the_dags(tmp_path: Path) -> None:
    root = made(tmp_path, "dags/a.py", "include/b.py", "plugins/c.py", ".airflowignore")
    assert paths(root) == [
        ".airflowignore", "dags/.airflowignore", "dags/a.py", "include/b.py", "plugins/c.py",
    ]  # fmt: skip
    made(tmp_path, "dags/.airflowignore")
    (one,) = [one for one in pack(root).files if one.path == "dags/.airflowignore"]
    assert one.source == root / "dags/.airflowignore"


def test_caches_environments_and_version_control_stay_behind(tmp_path: Path) -> None:
    root = made(
        tmp_path,
        "a.py",
        "__pycache__/a.pyc",
        "b.pyc",
        ".git/HEAD",
        ".env",
        "mine/pyvenv.cfg",
        "mine/x.py",
    )
    assert paths(root) == ["dags/a.py"]


def test_the_same_files_are_the_same_release_whatever_their_time(tmp_path: Path) -> None:
    first, second = made(tmp_path / "1", "a.py"), made(tmp_path / "2", "a.py")
    os.utime(second / "a.py", (1, 1))
    assert pack(first).digest == pack(second).digest
    (second / "a.py").chmod(0o755)
    assert pack(first).digest != pack(second).digest
    now = datetime(2026, 11, 27, 21, 33, 24, tzinfo=UTC)
    assert release_id("3f2a9c1d77", now) == "20261127T213324Z-3f2a9c1d"


def test_links_inside_of_the_folder_are_links(tmp_path: Path) -> None:
    root = made(tmp_path, "a.py", "lib/b.py")
    (root / "c.py").symlink_to("a.py")
    (root / "more").symlink_to("lib")
    assert {one.path: one.link for one in pack(root).files if one.link} == {
        "dags/c.py": "a.py", "dags/more": "lib",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("target", "says"),
    [("/etc/passwd", "out of the folder"), ("../other", "out of the folder"), ("nosuch", "not there"),
     (".", "in a circle"), ("sub/..", "in a circle")],
)  # fmt: skip
def test_other_links_are_refused(tmp_path: Path, target: str, says: str) -> None:
    root = made(tmp_path / "dags-of-mine", "a.py", "sub/x.py")
    made(tmp_path, "other")
    (root / "link").symlink_to(target)
    with pytest.raises(ToolkitError, match=says):
        pack(root)


def test_a_link_by_way_of_another_does_not_lead_out(tmp_path: Path) -> None:
    root = made(tmp_path / "dags-of-mine", "a.py")
    made(tmp_path, "other/b.py")
    (root / "one").symlink_to("two/b.py")
    (root / "two").symlink_to("../other")
    with pytest.raises(ToolkitError, match="out of the folder"):
        pack(root)


def test_a_link_to_what_is_left_out_is_refused(tmp_path: Path) -> None:
    for name in ("dags", ".venv/z", "include"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "dags/a.py").touch()
    (tmp_path / ".venv/z/b.py").touch()
    (tmp_path / "include/c.py").touch()
    (tmp_path / "dags/c").symlink_to("../include")
    assert {one.path for one in pack(tmp_path).files} == {"dags/a.py", "dags/c", "include/c.py"}
    (tmp_path / "dags/z").symlink_to("../.venv/z")
    with pytest.raises(ToolkitError, match="left out of a release"):
        pack(tmp_path)


def test_a_folder_of_dags_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src/dags").mkdir(parents=True)
    (tmp_path / "src/dags/a.py").touch()
    (tmp_path / "dags").symlink_to("src/dags")
    with pytest.raises(ToolkitError, match="it is a link, to src/dags") as caught:
        pack(tmp_path)
    assert caught.value.fix.endswith(str(tmp_path / "src"))


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    root = made(tmp_path, "a.py")
    (root / "one").symlink_to("two")
    (root / "two").symlink_to("one")
    with pytest.raises(ToolkitError, match="not there"):
        pack(root)


def test_what_a_release_keeps_of_itself_is_no_part_of_another(tmp_path: Path) -> None:
    assert paths(
        made(tmp_path, "dags/a.py", ".toolkit-release.json", ".toolkit-switched.json")
    ) == ["dags/a.py"]


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made(tmp_path, "a.py"))
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("s")
        with pytest.raises(ToolkitError, match="a socket"):
            pack(tmp_path)


def test_a_large_file_is_refused_with_the_option_that_allows_it(tmp_path: Path) -> None:
    (made(tmp_path, "a.py") / "data.bin").write_bytes(bytes(3 * 2**20 + 1))
    with pytest.raises(ToolkitError) as refused:
        pack(tmp_path, 2)
    assert refused.value.fix and "--max-file-size 4" in refused.value.fix
    assert pack(tmp_path, 4).files


def test_too_many_files_name_the_folder_that_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dags, "FILES", 3)
    made(tmp_path, "a.py", *(f"data/{number}" for number in range(3)))
    with pytest.raises(ToolkitError) as refused:
        pack(tmp_path)
    assert refused.value.fix and "in data" in refused.value.fix


@pytest.mark.parametrize("names", [(), ("readme.txt",), ("dags/readme.txt", "other.py")])
def test_a_folder_without_anything_that_could_be_a_dag(
    tmp_path: Path, names: tuple[str, ...]
) -> None:
    with pytest.raises(ToolkitError, match="no file that could be a DAG"):
        pack(made(tmp_path, *names))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="no such folder"):
        pack(tmp_path / "nosuch")
    made(tmp_path, "file")
    with pytest.raises(ToolkitError, match="it is no folder"):
        pack(tmp_path / "file")


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    made(tmp_path, "a.py")
    (tmp_path / os.fsdecode(b"\xff.py")).write_text("")
    with pytest.raises(ToolkitError, match="not UTF-8"):
        pack(tmp_path)


def test_what_differs() -> None:
    former = fingerprints([
        {"path": "a", "mode": "444", "sha256": "1"}, {"path": "b", "mode": "444", "sha256": "1"},
        {"path": "c", "mode": "444", "sha256": "1"}, {"path": "d", "link": "a"},
    ])  # fmt: skip
    now = fingerprints([
        {"path": "a", "mode": "444", "sha256": "1"}, {"path": "b", "mode": "555", "sha256": "1"},
        {"path": "d", "link": "b"}, {"path": "e", "mode": "444", "sha256": "1"},
    ])  # fmt: skip
    assert differences(former, now) == (["e"], ["b", "d"], ["c"])
