"""The mark of a drained host, which the role passes over as well; what of a task is told; maintenance."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from toolkit.onhost import drained, maintenance
from toolkit.onhost.in_airflow.consuming import described

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "drained.json"
    monkeypatch.setattr(drained, "MARK", str(path))
    return path


def test_a_mark_stays_as_it_was_until_it_is_removed(mark: Path) -> None:
    assert drained.drained() is None
    drained.mark(5.0, "kim@laptop", "drain")
    drained.mark(9.0, "root@ops", "restart")
    assert drained.drained() == {"since": 5.0, "by": "kim@laptop", "why": "drain"}
    drained.unmark()
    drained.mark(9.0, "root@ops", "restart")
    drained.mark(12.0, "kim@laptop", "drain")  # it is meant to stay
    assert (drained.drained() or {})["why"] == "drain"
    drained.unmark()
    drained.unmark()
    assert not mark.exists()


def test_a_mark_that_cannot_be_read_is_a_mark(mark: Path) -> None:
    mark.write_text("{")
    assert (drained.drained() or {})["by"] == ""


def _compare_units() -> ModuleType:
    path = REPOSITORY / "roles/airflow/files/compare_units.py"
    spec = importlib.util.spec_from_file_location("compare_units", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_provision_leaves_a_drained_worker_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = _compare_units()
    assert module.DRAINED == drained.MARK
    stopped = {"ActiveState": "inactive", "ActiveEnterTimestampMonotonic": "0", "UnitFileState": "disabled"}  # fmt: skip
    names = ["airflow-worker.service", "airflow-triggerer.service"]
    for name in names:
        (tmp_path / name).touch()
    monkeypatch.setattr(module, "UNITS", str(tmp_path))
    monkeypatch.setattr(module, "ours", set)
    monkeypatch.setattr(module, "shown", lambda units: dict.fromkeys(units, stopped))
    monkeypatch.setattr(module, "DRAINED", str(tmp_path / "drained.json"))
    assert module.compare(names)["start"] == names
    (tmp_path / "drained.json").touch()
    assert module.compare(names)["start"] == names[1:]


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ([json.dumps({"token": "secret", "ti": {"dag_id": "d", "task_id": "t", "run_id": "r"}})], ("d", "t", "r")),
        ([["airflow", "tasks", "run", "d", "t", "r", "--local"]], ("d", "t", "r")),
        (["no JSON"], (None, None, None)),
        ([], (None, None, None)),
    ],
)  # fmt: skip
def test_a_task_is_described_without_its_token(args: list[Any], name: tuple[Any, ...]) -> None:
    found = described({"args": args, "time_start": 5.0})
    assert (found.get("dag"), found.get("task"), found.get("run")) == name
    assert found["since"] == 5.0
    assert "secret" not in json.dumps(found)


class Database:
    """DAGs, paused or not, as onhost/in_airflow/database.py has them."""

    def __init__(self, unpaused: set[str]) -> None:
        self.unpaused = unpaused
        self.fails = False

    def __call__(self, _program: object, question: str, *dags: str) -> dict[str, Any]:
        if question == "unpaused":
            return {"dags": sorted(self.unpaused), "tasks": 3}
        if self.fails:
            return {"error": "no answer"}
        self.unpaused = self.unpaused - set(dags) if question == "pause" else self.unpaused | set(dags)  # fmt: skip
        return {"changed": len(dags)}


def test_maintenance_remembers_what_was_not_paused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "maintenance.json"
    database = Database({"a", "b"})
    monkeypatch.setattr(maintenance, "FILE", str(file))
    monkeypatch.setattr(maintenance, "in_airflow", database)
    database.fails = True  # it was cut off between the two
    assert maintenance.main({"action": "on", "by": "kim@laptop"})["error"] == "no answer"
    database.fails = False
    assert maintenance.main({"action": "on", "by": "root@ops"})["dags"] == 2
    database.unpaused = {"new"}
    assert maintenance.main({"action": "on", "by": "root@ops"})["dags"] == 1
    found = maintenance.maintenance() or {}
    assert (found["by"], found["dags"]) == ("kim@laptop", ["a", "b", "new"])
    database.fails = True
    assert maintenance.main({"action": "off"})["error"] == "no answer"
    database.fails = False
    assert maintenance.main({"action": "off"})["dags"] == 3
    assert database.unpaused == {"a", "b", "new"}
    assert maintenance.main({"action": "off"}) == {"dags": 0, "was_on": False}
