"""A task's log in the folder of logs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost import task_files


@pytest.fixture(autouse=True)
def as_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(task_files, "become", lambda _: None)


def put(folder: Path, run: str, name: str, text: str = "words\n", age: int = 0) -> Path:
    path = folder / f"dag_id=shop/run_id={run}/task_id=extract/{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (1_000_000 - age, 1_000_000 - age))
    return path


def asked(folder: Path, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = task_files.main({
        "folder": str(folder), "dag": "shop", "task": "extract", "run": "", "attempt": 0,
        "map_index": None, "lines": 100, "grep": "", "follow": False, "after": 0, **fields,
    })  # fmt: skip
    return found


def test_the_newest_run_and_its_newest_try(tmp_path: Path) -> None:
    put(tmp_path, "r1", "attempt=3.log", age=100)
    put(tmp_path, "r2", "attempt=1.log", age=50)
    newest = put(tmp_path, "r2", "attempt=2.log")
    found = asked(tmp_path)
    assert (found["run"], found["attempt"], found["path"]) == ("r2", 2, str(newest))
    assert found["entries"][0]["text"] == "words"
    assert asked(tmp_path, run="r1")["attempt"] == 3
    assert asked(tmp_path, run="r2", attempt=1)["attempt"] == 1


def test_a_triggerers_part_belongs_to_the_try(tmp_path: Path) -> None:
    put(tmp_path, "r1", "attempt=1.log")
    put(tmp_path, "r1", "attempt=1.log.trigger.7.log", "waiting\n")
    assert [one["text"] for one in asked(tmp_path)["entries"]] == ["words\nwaiting"]


def test_instances_of_a_mapped_task(tmp_path: Path) -> None:
    for index in (0, 1):
        put(tmp_path, "r1", f"map_index={index}/attempt=1.log", f"number {index}\n")
    assert asked(tmp_path)["map_indexes"] == [0, 1]
    assert asked(tmp_path, map_index=1)["entries"][0]["text"] == "number 1"
    assert "path" not in asked(tmp_path, map_index=2)
    assert "path" not in asked(tmp_path, map_index=-1)


def test_an_empty_file_was_uploaded_and_names_do_not_lead_elsewhere(tmp_path: Path) -> None:
    put(tmp_path, "r1", "attempt=1.log", "")
    put(tmp_path, "r1", "attempt=x.log")
    found = asked(tmp_path)
    assert found["names"]
    assert "path" not in found
    put(tmp_path, "r2", "attempt=1.log")
    assert "path" in asked(tmp_path)
    assert "path" not in asked(tmp_path / "dag_id=shop", dag="../dag_id=shop")
    assert "path" not in asked(tmp_path / "missing")


def test_a_host_that_never_had_airflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(name: str) -> None:
        raise KeyError(name)

    monkeypatch.setattr(task_files, "become", nobody)
    assert set(asked(tmp_path)) == {"names"}
