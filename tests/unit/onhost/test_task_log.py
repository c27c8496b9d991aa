"""Which run and try of a task Airflow's API has, and its log."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from support.airflow_api import AirflowApi

from toolkit.onhost import task_log

HEADING = ["::group::Log message source details", "http://w1:8793/log/x", "::endgroup::"]


class Tasks(AirflowApi):
    """A DAG "shop" with runs new (nothing has begun) and old; its task "each" is mapped."""

    log: str | None = None

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        if path == "/auth/token":
            return super().answer(method, path, body)
        path = path.removeprefix("/api/v2/dags")
        if path.startswith("/~/"):
            found = [one for one in self.instances() if one["task_id"] in body["task_ids"]
                     and one["dag_run_id"] in body["dag_run_ids"] and body["dag_ids"] == ["shop"]]  # fmt: skip
            return 200, {"task_instances": found, "total_entries": len(found)}
        if path.startswith("/shop/dagRuns?"):
            runs = ["new", "old"] if "offset=0" in path else []
            return 200, {"dag_runs": [{"dag_run_id": run} for run in runs]}
        if path.startswith("?"):
            there = [{"dag_id": "shop"}, {"dag_id": "other"}]
            return 200, {"dags": there if "offset=0" in path else []}
        if path == "/shop":
            return 200, {"dag_id": "shop"}
        if path == "/shop/tasks":
            return 200, {"tasks": [{"task_id": name} for name in ("extract", "each", "late")]}
        if path == "/shop/dagRuns/old/taskInstances/extract/tries/1":
            return 200, {"state": "failed", "hostname": "w0"}
        if re.match("/shop/dagRuns/old/taskInstances/extract/logs/[12]", path):
            words = [*HEADING, "one", "two"]
            lines = "".join(json.dumps({"event": word, "timestamp": None}) + "\n" for word in words)
            return (200, lines) if self.log is None else (500, self.log)
        return 404, {"detail": path}

    def instances(self) -> Iterator[dict[str, Any]]:
        one = {"dag_run_id": "old", "map_index": -1, "state": "success", "hostname": "w1"}
        yield {**one, "task_id": "extract", "try_number": 2}
        yield {**one, "task_id": "queued", "try_number": 0, "state": None, "hostname": None}
        for index in range(3):
            yield {**one, "task_id": "each", "try_number": 1, "map_index": index}


@pytest.fixture
def api() -> Iterator[Tasks]:
    with Tasks("success") as made:
        yield made


def asked(api: AirflowApi, dag: str, task: str, **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = task_log.main({
        **api.payload, "dag": dag, "task": task, "run": "", "attempt": 0, "map_index": None,
        "lines": 1, "grep": "", "follow": True, "after": 0, **fields,
    })  # fmt: skip
    return found


def test_the_newest_run_that_has_the_task(api: Tasks) -> None:
    found = asked(api, "shop", "extract")
    assert (found["run"], found["attempt"], found["tries"]) == ("old", 2, 2)
    assert (found["state"], found["hostname"], found["ended"]) == ("success", "w1", True)
    assert [one["text"] for one in found["entries"]] == ["two"]
    assert (found["seen"], found["sources"]) == (2, ["http://w1:8793/log/x"])
    assert [one["text"] for one in asked(api, "shop", "extract", after=1)["entries"]] == ["two"]


def test_an_earlier_try_has_a_host_of_its_own(api: Tasks) -> None:
    found = asked(api, "shop", "extract", attempt=1)
    assert (found["state"], found["hostname"], found["tries"]) == ("failed", "w0", 2)


def test_a_task_that_has_not_begun_has_no_log(api: Tasks) -> None:
    found = asked(api, "shop", "queued")
    assert (found["attempt"], found["state"], found["ended"]) == (0, None, False)


@pytest.mark.parametrize(
    ("dag", "task", "fields", "unknown", "there"),
    [
        ("shpo", "extract", {}, "dag", ["shop", "other"]),
        ("shop", "extrat", {}, "task", ["extract", "each", "late"]),
        ("shop", "late", {}, "begun", ["extract", "each", "late"]),
        ("shop", "late", {"run": "old"}, "begun", ["extract", "each", "late"]),
        ("shop", "extract", {"run": "odl"}, "run", ["new", "old"]),
        ("shop", "extract", {"attempt": 3}, "try", [1, 2]),
        ("shop", "extract", {"map_index": 0}, "map_index", [-1]),
        ("shop", "each", {}, "map_index", [0, 1, 2]),
        ("shop", "each", {"map_index": 7}, "map_index", [0, 1, 2]),
        ("../../x", "extract", {}, "dag", ["shop", "other"]),
    ],
)
def test_what_there_is_not(
    api: Tasks, dag: str, task: str, fields: Any, unknown: str, there: list[Any]
) -> None:
    assert asked(api, dag, task, **fields) == {"unknown": unknown, "there": there}


def test_who_ran_it_is_known_when_the_log_is_not(api: Tasks) -> None:
    api.log = "oops"
    found = asked(api, "shop", "extract")
    assert (found["hostname"], found["sources"]) == ("w1", ["the log got HTTP 500"])
    assert "seen" not in found


def test_a_web_server_that_does_not_help(api: Tasks) -> None:
    api.payload["password"] = "wrong"
    assert asked(api, "shop", "extract") == {"error": "signing in as toolkit-canary got HTTP 401"}
    api.payload["url"] = "http://127.0.0.1:9"
    assert asked(api, "shop", "extract") == {"error": "nobody answers at http://127.0.0.1:9"}
