"""What is removed from a host that leaves: the program on real files, as the user that runs the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost import clean, drained, ownership, releases, strangers

ID = "0123456789abcdef"


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host with an environment, two files of ours, a release, a log, and a link of the service user's."""
    root = tmp_path.resolve()
    for path in ("lib", "opt/releases/3.3.2", "opt/cache/x", "home/dags/releases/r1", "home/dags/releases/none",
                 "home/dags/toolkit", "etc", "log", "theirs"):  # fmt: skip
        (root / path).mkdir(parents=True)
    (root / "opt/releases/3.3.2/python").touch()
    (root / "etc/airflow.cfg").write_text("ours")
    (root / "etc/changed.cfg").write_text("changed by hand")
    (root / "log/task.log").touch()
    (root / "theirs/precious").touch()
    for module, name, value in (
        (ownership, "DIRECTORY", "lib"), (ownership, "RECORD", "lib/cluster.json"), (drained, "MARK", "lib/drained.json"),
        (releases, "RELEASES", "home/dags/releases"), (clean, "COPIED", "home/dags/releases/none"),
        (strangers, "BACKUPS", "backups"),
    ):  # fmt: skip
        monkeypatch.setattr(module, name, str(root / value))
    monkeypatch.setattr(clean, "BUILT", (str(root / "opt/releases"), str(root / "opt/cache")))
    monkeypatch.setattr(clean, "run", lambda *_: "")
    monkeypatch.setattr(clean, "remove_accounts", lambda _: None)
    with ownership.changing() as found:
        found["cluster"]["id"] = ID
        found["owned"] |= {
            "units": ["airflow-worker.service"],
            "users": ["airflow"],
            "files": {
                str(root / path): [ownership.digest(found["key"], b"ours"), "644 root root"]
                for path in ("etc/airflow.cfg", "etc/changed.cfg", "etc/gone.cfg")
            },
            "directories": [
                str(root / path)
                for path in ("etc", "opt", "opt/releases", "opt/cache", "home", "home/dags", "home/dags/releases",
                             "home/dags/toolkit", "log")
            ],
        }  # fmt: skip
    (root / "lib/drained.json").write_text("{}")
    return root


def cleaned(purge: bool, id: str = ID) -> dict[str, Any]:
    found: dict[str, Any] = clean.main({"id": id, "purge": purge})
    return found


def test_logs_and_what_was_copied_stay_with_the_list(host: Path) -> None:
    (host / "home/dags/releases/none/copied.py").touch()
    found = cleaned(purge=False)
    assert found["error"] == ""
    assert found["stays"] == [str(host / "home"), str(host / "log"), "airflow"]
    assert not (host / "opt").exists()
    assert not (host / "etc").exists()
    assert not (host / "home/dags/releases/r1").exists()
    (kept,) = (host / "backups").glob("*" + str(host / "etc/changed.cfg"))
    assert kept.read_text() == "changed by hand"
    assert not (host / "lib/drained.json").exists()
    record = ownership.read()
    assert record["cluster"]["id"] == ID
    assert (record["owned"]["units"], record["owned"]["files"]) == ([], {})
    assert cleaned(purge=False)["stays"] == found["stays"]  # it can be done again


def test_a_purge_leaves_nothing(host: Path) -> None:
    assert cleaned(purge=True)["stays"] == []
    assert sorted(path.name for path in host.iterdir()) == ["backups", "theirs"]


@pytest.mark.parametrize("path", ["home/dags/releases", "home/dags", "log"])
def test_links_of_the_service_user_are_not_followed(host: Path, path: str) -> None:
    place = host / path
    place.rename(host / "moved")
    target = host / "theirs" if path != "home/dags" else host / "theirs2"
    if path == "home/dags":
        (target / "releases").mkdir(parents=True)
        (target / "releases/precious").touch()
    place.symlink_to(target)
    cleaned(purge=True)
    assert (host / "theirs/precious").exists()
    assert path != "home/dags" or (target / "releases/precious").exists()


def test_what_is_mounted_stays(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other hosts may share it."""
    monkeypatch.setattr(clean, "mounts", lambda: [str(host / "log"), str(host / "home/dags/releases/r1/shared")])  # fmt: skip
    (host / "home/dags/releases/r1/shared").mkdir()
    found = cleaned(purge=True)
    assert found["stays"] == [str(host / "home"), str(host / "log"), "airflow"]
    assert (host / "log/task.log").exists()
    assert (host / "home/dags/releases/r1/shared").exists()


def test_a_host_of_another_cluster_is_left_alone(host: Path) -> None:
    assert "belongs to cluster" in cleaned(purge=True, id="fedcba9876543210")["error"]
    assert (host / "etc/airflow.cfg").exists()
