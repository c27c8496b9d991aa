"""Answers as dataclasses: the programs on a host answer with the fields that are read here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import pytest
from support.airflow_api import AirflowApi
from support.onhost import run

from toolkit.cluster import Host
from toolkit.hosts.answer import read
from toolkit.hosts.canary import Canary, Task, TaskLog, Workers
from toolkit.hosts.facts import Facts
from toolkit.hosts.state import HostState, UnitState
from toolkit.onhost import workers

SYSTEMCTL = """#!/bin/sh
cat <<'END'
Id=airflow-scheduler.service
ActiveState=active
SubState=running
NRestarts=2
ActiveEnterTimestampMonotonic=1000000
MemoryCurrent=209715200
ControlGroup=/airflow.slice/airflow-scheduler.service

Id=airflow-triggerer.service
ActiveState=failed
SubState=failed
NRestarts=5
ActiveEnterTimestampMonotonic=0
MemoryCurrent=[not set]
ControlGroup=
END
"""


def names(kind: Any, *without: str) -> set[str]:
    return {entry.name for entry in fields(kind)} - set(without)


@dataclass(frozen=True)
class Part:
    name: str
    size: int = 0


@dataclass(frozen=True)
class Whole:
    parts: tuple[Part, ...] = ()
    by_name: Mapping[str, Part] = field(default_factory=dict)
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    one: Part | None = None
    number: float | None = None
    given: str = ""


def test_values_get_the_types_of_their_fields() -> None:
    data = {
        "parts": [{"name": "a", "new": 1}],
        "by_name": {"b": {"name": "b", "size": 2}},
        "lists": {"c": ["x"]},
        "one": None,
        "number": 1.5,
        "new": {},
    }
    assert read(Whole, data, given="g") == Whole(
        (Part("a"),), {"b": Part("b", 2)}, {"c": ("x",)}, None, 1.5, "g"
    )


def test_the_state_of_a_host(tmp_path: Path) -> None:
    for name, text in (("systemctl", SYSTEMCTL), ("journalctl", "#!/bin/sh\necho boom\n")):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    asked = {
        "components": ["scheduler", "triggerer"],
        "secrets": [],
        "nonce": "n",
        "database": "jobs",
        "workers": 0,
        "asked": [],
        "jobs": ["SchedulerJob"],
    }
    answer = run("state", asked, PATH=f"{tmp_path}:/usr/bin:/bin")
    assert set(answer) == names(
        HostState, "host", "components", "problem", "nonce", "sent", "received"
    )
    assert set(answer["units"]["scheduler"]) == names(UnitState)
    components = ("scheduler", "triggerer", "dag-processor")
    host = Host("h1", (), {})
    state = HostState.from_json(
        host, components, answer | {"sent": 0.0, "received": 9.9, "chatter": ""}
    )
    assert state.unit("scheduler").memory_mb == 200
    assert (state.unit("scheduler").restarts, state.unit("scheduler").journal) == (2, ())
    assert state.unit("triggerer").since is None
    assert state.unit("triggerer").journal == ("boom",)
    assert state.unit("triggerer").memory_mb == 0  # not that of every process of the host
    assert state.unit("dag-processor").active == "unknown"
    assert state.database is None
    assert state.hostname


def test_the_health_of_a_host() -> None:
    asked = {
        "components": [], "secrets": [], "nonce": "n", "database": "", "workers": 0, "asked": [], "jobs": [],
        "paths": ["/tmp"], "certificate": {},
    }  # fmt: skip
    answer = run("health", asked, PATH="/usr/bin:/bin")
    assert set(answer["facts"]) <= names(Facts)
    assert answer["facts"]["errors"] == {}
    assert (answer["mutes"], answer["parallelism"], answer["certificate"]) == ({}, None, None)
    assert HostState.from_json(Host("h1", (), {}), (), answer).hostname


def test_a_host_without_systemd_has_no_states_of_units() -> None:
    asked = {
        "components": ["scheduler"],
        "secrets": [],
        "nonce": "n",
        "database": "",
        "workers": 0,
        "asked": [],
        "jobs": ["SchedulerJob"],
    }
    answer = run("state", asked, PATH="/nonexistent")
    assert HostState.from_json(Host("h1", (), {}), ("scheduler",), answer).units == {}


@pytest.mark.parametrize("outcome", ["success", "failed"])
def test_a_canary_that_ran(outcome: str) -> None:
    with AirflowApi(outcome) as api:
        answer = run("canary", api.payload)
    found = read(Canary, answer)
    assert set(answer) <= names(Canary)
    assert found.health == {"metadatabase": "healthy", "scheduler": "healthy"}
    assert (found.state, found.tasks) == (outcome, (Task("bash", outcome),))
    assert found.seconds is not None
    if outcome == "success":
        assert found.logs == {"bash": TaskLog("s3://logs/bash/1.log")}
        assert api.removed == ["run1"]
    else:
        assert "boom" in found.log
        assert api.removed == []


def test_a_canary_whose_password_is_wrong() -> None:
    with AirflowApi("success") as api:
        found = read(Canary, run("canary", api.payload | {"password": "wrong"}))
    assert "HTTP 401" in str(found.error)
    assert found.health["scheduler"] == "healthy"
    assert found.tasks == ()


def test_a_canary_without_a_web_server() -> None:
    with AirflowApi("success") as api:
        payload = api.payload | {"timeout": 0.5}
    found = read(Canary, run("canary", payload))
    assert found.health == {}
    assert "refused" in str(found.health_error)


def test_workers_that_do_not_all_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(
        [{"error": "no broker"}, {"queues": {"w1": ["default"]}}, {"queues": {"w1": ["default"]}}]
    )
    monkeypatch.setattr(workers, "in_airflow", lambda *_: next(answers))
    answer = workers.main({"workers": 2, "timeout": 0.5})
    assert set(answer) == names(Workers)
    assert read(Workers, answer) == Workers({"w1": ("default",)})


def test_every_part_of_the_probe_is_a_field_of_the_facts() -> None:
    answer = run("probe", {})
    assert answer["errors"] == {}
    assert set(answer) == names(Facts, "sent", "received", "chatter")
