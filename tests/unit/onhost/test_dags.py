"""Releases of DAGs on a host: the program on real files, as the user that runs the tests."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import pytest
from airflow_plan import ignored_dags

from toolkit.onhost import dags, drained, ownership, releases

UNITS = ["airflow-scheduler.service", "airflow-worker.service"]


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of DAGs as the role leaves it, with DAGs that somebody copied."""
    root = tmp_path / "dags"
    (root / "releases/none").mkdir(parents=True)
    (root / "releases/none/copied.py").write_text("copied")
    (root / "current").symlink_to("releases/none")
    (root / ".airflowignore").write_text("/releases/\n/release/\n")
    (tmp_path / "lib/python").mkdir(parents=True)
    (tmp_path / "lib/python/airflow_toolkit_releases.py").touch()
    for module, name, value in (
        (releases, "DAGS", root), (releases, "RELEASES", root / "releases"), (releases, "RELEASE", root / "release"),
        (releases, "CURRENT", root / "current"),
        (dags, "MODULES", tmp_path / "lib/python"), (ownership, "DIRECTORY", tmp_path / "lib"),
        (ownership, "RECORD", tmp_path / "lib/cluster.json"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, str(value))
    monkeypatch.setattr(dags, "become", lambda _: None)
    return root


def entry(path: str, text: str, mode: str = "444") -> dict[str, Any]:
    return {
        "path": path,
        "mode": mode,
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "size": len(text),
    }


def receive(
    release: str,
    files: list[dict[str, Any]],
    texts: list[str],
    monkeypatch: pytest.MonkeyPatch,
    *,
    flip: bool = False,
) -> str:
    """Build a release; its error."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        for text in texts:
            member = tarfile.TarInfo(hashlib.sha256(text.encode()).hexdigest())
            content = (text.upper() if flip else text).encode()
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    archive.seek(0)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(archive))
    manifest = {"id": release, "digest": f"of {release}", "by": "kim@laptop", "files": files}
    return str(dags.main({"action": "receive", "manifest": manifest})["error"])


def names(host: Path) -> list[str]:
    return sorted(one.name for one in (host / "releases").iterdir())


def inspect(files: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return dags.main({"action": "inspect", "files": files or [], "units": UNITS})


def switch(release: str, **more: Any) -> dict[str, Any]:
    switched = {"when": "2026-11-27T21:33:24+00:00", "by": "kim@laptop", "dags": 2}
    payload = {
        "action": "switch",
        "id": release,
        "versioned": True,
        "back": False,
        "touched": [],
        "switched": switched,
    }
    return dags.main(payload | more)


def test_a_host_that_no_such_toolkit_provisioned(host: Path) -> None:
    Path(dags.MODULES, "airflow_toolkit_releases.py").unlink()
    assert inspect() == {"ready": False}
    assert (host / "current").is_symlink()


def test_a_release_is_built_from_what_comes_and_from_what_is_there(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [
        entry("dags/a.py", "a"),
        entry("dags/b.py", "b"),
        {"path": "dags/c.py", "link": "b.py"},
    ]
    assert len(inspect(first)["lacks"]) == 2
    assert receive("r1", first, ["a", "b"], monkeypatch) == ""
    second = [
        entry("dags/a.py", "a"),
        entry("dags/b.py", "new"),
        entry("include/run.sh", "b", "555"),
    ]
    assert inspect(second)["lacks"] == [second[1]["sha256"]]
    assert receive("r2", second, ["new"], monkeypatch) == ""
    one, two = host / "releases/r1", host / "releases/r2"
    assert (two / "dags/a.py").samefile(one / "dags/a.py")
    assert (two / "dags/b.py").read_text() == "new"
    assert (two / "include/run.sh").read_text() == "b"
    assert oct((two / "include/run.sh").stat().st_mode)[-3:] == "555"
    assert oct((two / "dags").stat().st_mode)[-3:] == "555"
    assert str((one / "dags/c.py").readlink()) == "b.py"
    assert sorted(found["id"] for found in inspect()["releases"]) == ["r1", "r2"]
    assert names(host) == ["none", "r1", "r2"]


def test_a_file_that_somebody_changed_is_sent_again(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [entry("dags/a.py", "a")]
    receive("r1", files, ["a"], monkeypatch)
    (host / "releases/r1/dags/a.py").chmod(0o644)
    (host / "releases/r1/dags/a.py").write_text("changed")
    assert inspect(files)["lacks"] == [files[0]["sha256"]]


@pytest.mark.parametrize("how", ["flipped", "missing", "cut off"])
def test_what_does_not_come_whole_leaves_nothing(
    host: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    files = [entry("dags/a.py", "a" * 9999), entry("dags/b.py", "b")]
    texts = ["b"] if how == "missing" else ["a" * 9999, "b"]
    if how == "cut off":
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\x1f\x8b\x08")))
        error = dags.main({"action": "receive", "manifest": {"id": "r1", "files": files}})["error"]
    else:
        error = receive("r1", files, texts, monkeypatch, flip=how == "flipped")
    assert error
    assert names(host) == ["none"]


def test_what_a_run_left_that_was_killed_goes(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (host / "releases/.r0/dags").mkdir(parents=True)
    (host / "releases/.r0/dags").chmod(0o555)
    assert [one["id"] for one in inspect()["releases"]] == []
    receive("r1", [entry("dags/a.py", "a")], ["a"], monkeypatch)
    assert names(host) == ["none", "r1"]


def test_the_switch_is_a_link_and_copies_stay(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for release in ("r1", "r2"):
        receive(release, [entry("dags/a.py", release)], [release], monkeypatch)
    assert inspect()["current"] == ""
    assert inspect()["folder"] == "releases/none"
    assert switch("r1") == {"error": "", "former": ""}
    assert inspect()["current"] == releases.current() == "r1"
    assert (host / "current/a.py").read_text() == "r1"
    assert switch("r2")["former"] == "r1"
    assert (host / "current/a.py").read_text() == "r2"
    assert (host / "releases/none/copied.py").exists()
    # Back, and back again: what was before r1 stays what it was.
    switch("r1", back=True)
    known = {one["id"]: one["switched"] for one in inspect()["releases"]}
    assert (known["r1"]["former"], known["r2"]["former"]) == ("", "r1")
    assert inspect()["files"] == {"dags/a.py": f"444 {entry('', 'r1')['sha256']}"}


def test_a_release_that_is_deployed_again_is_after_the_one_that_was_current(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for release in ("r1", "r2"):
        receive(release, [entry("dags/a.py", release)], [release], monkeypatch)
        switch(release)
    for _ in range(2):  # the second time goes on where the first was cut off
        switch("r1")
        assert {one["id"]: one["switched"]["former"] for one in inspect()["releases"]} == {
            "r1": "r2",
            "r2": "r1",
        }
    assert (host / "current/a.py").read_text() == "r1"


@pytest.mark.usefixtures("host")
def test_units_that_began_before_the_plugins_came_stay_known_until_they_start_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    began = dict.fromkeys(UNITS, time.clock_gettime(time.CLOCK_MONOTONIC))
    monkeypatch.setattr(
        dags,
        "show",
        lambda units, *_: [
            {"Id": unit, "ActiveState": "active", "ActiveEnterTimestampMonotonic": str(int(began[unit] * 1e6))}
            for unit in units
        ],
    )  # fmt: skip

    def deployed(release: str, plugins: str) -> list[str]:
        files = [entry("dags/a.py", release), *([entry("plugins/p.py", plugins)] if plugins else [])]  # fmt: skip
        receive(release, files, [release, plugins], monkeypatch)
        switch(release)
        return list(inspect()["stale"])

    assert deployed("r1", "") == []
    assert deployed("r2", "p") == UNITS
    began[UNITS[0]] = time.clock_gettime(time.CLOCK_MONOTONIC)
    assert inspect()["stale"] == UNITS[1:]
    switch("r2")  # a deploy that was cut off
    assert deployed("r3", "p") == UNITS[1:]
    assert deployed("r4", "other") == UNITS
    monkeypatch.setattr(drained, "drained", lambda: {"why": "restart"})
    monkeypatch.setattr(
        dags,
        "show",
        lambda *_: [
            {"Id": UNITS[1], "ActiveState": "inactive", "ActiveEnterTimestampMonotonic": "1"}
        ],
    )
    assert inspect()["stale"] == UNITS[1:]
    monkeypatch.setattr(dags, "boot", lambda: "after power came back")
    assert inspect()["stale"] == []


@pytest.mark.usefixtures("host")
def test_a_switch_without_space_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    receive("r1", [entry("dags/a.py", "a")], ["a"], monkeypatch)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(dags, "note_switch", full)
    assert switch("r1") == {"error": "No space left on device"}
    assert inspect()["current"] == ""


def test_a_release_without_its_manifest_is_built_again(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [entry("dags/a.py", "a")]
    receive("r1", files, ["a"], monkeypatch)
    (host / "releases/r1" / dags.MANIFEST).unlink()
    assert inspect(files)["releases"] == []
    assert receive("r1", files, ["a"], monkeypatch) == ""
    assert [one["id"] for one in inspect(files)["releases"]] == ["r1"]


def test_no_link_of_the_service_user_is_followed(
    host: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    receive("r1", [entry("dags/a.py", "a")], ["a"], monkeypatch)
    secret = tmp_path / "secret"
    secret.write_text("root:x")
    for name in (".airflowignore", ".airflowignore.new"):
        (host / name).unlink(missing_ok=True)
        (host / name).symlink_to(secret)
    switch("r1")
    assert secret.read_text() == "root:x"
    assert "root" not in (host / ".airflowignore").read_text()
    assert not (host / ".airflowignore").is_symlink()


def test_what_differs_is_newer_than_airflow_s_last_parse(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive("r1", [entry("dags/a.py", "a"), entry("dags/b.py", "b")], ["a", "b"], monkeypatch)
    for name in "ab":
        os.utime(host / f"releases/r1/dags/{name}.py", (1, 1))
    switch("r1", touched=["dags/a.py", "dags/nosuch.py"])
    assert (host / "current/a.py").stat().st_mtime > 1e9
    assert (host / "current/b.py").stat().st_mtime == 1


def test_a_release_that_is_not_there_is_no_switch(host: Path) -> None:
    (host / "releases/r1").mkdir()
    assert switch("r1")["error"] == "release r1 is not on this host"
    assert not (host / "release").exists()


def test_airflow_3_passes_over_copies_from_then_on_and_that_is_no_drift(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ignored = host / ".airflowignore"
    ignored.write_text("\n".join(ignored_dags("3", deployed=False)) + "\n")
    with ownership.changing() as found:
        found["owned"]["files"][str(ignored)] = ["old", "644 root root"]
    receive("r1", [entry("dags/a.py", "a")], ["a"], monkeypatch)
    for _ in range(2):
        switch("r1")
        assert ignored.read_text().splitlines() == ignored_dags("3", deployed=True)
    record = json.loads(Path(ownership.RECORD).read_text())
    digest = ownership.digest(record["key"], ignored.read_bytes())
    assert record["owned"]["files"][str(ignored)] == [digest, "644 root root"]


def test_airflow_2_goes_on_to_read_the_same_folder(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (host / ".airflowignore").read_text()
    receive("r1", [entry("dags/a.py", "a")], ["a"], monkeypatch)
    switch("r1", versioned=False)
    assert (host / ".airflowignore").read_text() == before


def test_releases_are_removed_but_never_the_current_one(
    host: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for release in ("r1", "r2"):
        receive(release, [entry("dags/a.py", "same")], ["same"], monkeypatch)
    switch("r2")
    assert dags.main({"action": "remove", "ids": ["r1", "r2", "nosuch", "none/../r2"]}) == {
        "removed": ["r1"]
    }
    assert (host / "current/a.py").read_text() == "same"


@pytest.mark.usefixtures("host")
def test_a_release_is_given_to_another_host(monkeypatch: pytest.MonkeyPatch) -> None:
    receive(
        "r1", [entry("dags/a.py", "a"), {"path": "dags/b.py", "link": "a.py"}], ["a"], monkeypatch
    )
    manifest = dags.main({"action": "give", "id": "r1", "contents": True})["manifest"]
    assert [one.get("content") for one in manifest["files"]] == ["YQ==", None]
    assert (
        "content"
        not in dags.main({"action": "give", "id": "r1", "contents": False})["manifest"]["files"][0]
    )
    assert dags.main({"action": "give", "id": "r2", "contents": True})["error"]


def test_import_paths_of_a_release_take_the_place_of_the_current_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    current = [
        "/var/lib/airflow/dags/current",
        *releases.import_paths("/var/lib/airflow/dags/release")[1:],
    ]
    of_run = releases.import_paths("/var/lib/airflow/dags/releases/r1")
    monkeypatch.setattr(sys, "path", ["/first", *current, "/last"])
    monkeypatch.setenv(
        "PYTHONPATH", ":".join(["/mine", *current, "/usr/local/lib/airflow-toolkit/python"])
    )
    for release in ("r0", "r1"):
        releases.use(release)
    assert sys.path == ["/first", *of_run, "/last"]
    assert os.environ["PYTHONPATH"].split(":") == [
        "/mine",
        *of_run,
        "/usr/local/lib/airflow-toolkit/python",
    ]
    assert releases.replaced(["/a"], of_run) == ["/a", *of_run]
    assert releases.replaced(["/var/lib/airflow/dags/currently"], []) == [
        "/var/lib/airflow/dags/currently"
    ]
