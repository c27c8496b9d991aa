"""What a running cluster proves by the answers of its hosts; no host needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.checks.proof import Proof, failures
from toolkit.checks.running import Evidence, prove
from toolkit.cluster import Cluster
from toolkit.hosts import HostProblem
from toolkit.hosts.canary import Canary, Task
from toolkit.hosts.database import Examined, Problem
from toolkit.hosts.state import DatabaseState, HostState, Job, UnitState
from toolkit.verbs.status import rows, text

GROUPS = ("scheduler", "webserver", "metadata_db")
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
CLUSTER = Cluster.planned(Path("/inventory"), {"h1": GROUPS})
HOST = CLUSTER.host("h1")
HEALTHY = dict.fromkeys(("metadatabase", "scheduler", "triggerer", "dag_processor"), "healthy")
CANARY = Canary(
    health=HEALTHY, tasks=(Task("bash", "success"), Task("python", "success")), seconds=3.0
)
UNIT = UnitState("active", "running", 0, since=100.0, memory_mb=200)


def state(units: dict[str, UnitState] | None = None, **changes: Any) -> HostState:
    good = HostState(
        HOST,
        COMPONENTS,
        units=dict.fromkeys(COMPONENTS, UNIT) | (units or {}),
        ports=(8080, 8793, 8794, 8974),
        release="3.3.2-abc",
        digests={"AIRFLOW__CORE__FERNET_KEY": "d"},
        database=DatabaseState("s", (Job("SchedulerJob", "h1", 2.0),)),
        hostname="h1",
        clock=1000.0,
        sent=999.9,
        received=1000.1,
    )
    return replace(good, **changes)


def proofs(before: HostState, after: HostState, canary: Canary) -> list[Proof]:
    found = prove(CLUSTER, Evidence([before], [after], canary))
    assert len(found) >= 10
    return found


def failed(before: HostState, after: HostState, canary: Canary) -> set[tuple[str, str]]:
    return {(one.component, one.name) for one in proofs(before, after, canary) if not one.ok}


def test_all_holds() -> None:
    assert failed(state(), state(), CANARY) == set()


def test_files_of_dags_that_cannot_be_imported_are_warnings() -> None:
    def found(*problems: Problem) -> list[Proof]:
        seen = Evidence(
            [state()], [state()], CANARY, database=Examined("current", ("a",), problems)
        )
        return [one for one in prove(CLUSTER, seen) if one.id == "running.import_error"]

    broken = [
        Problem("database.import_error", "warning", f"{name}.py:3 fails", "fix") for name in "ab"
    ]
    assert [(one.ok, one.passes, one.detail) for one in found(*broken)] == [
        (False, True, "a.py:3 fails"),
        (False, True, "b.py:3 fails"),
    ]
    assert [one.ok for one in found(Problem("database.fernet_key", "warning", "what", "fix"))] == [
        True
    ]
    assert not [
        one for one in proofs(state(), state(), CANARY) if one.id == "database.import_error"
    ]


def test_a_restart_during_the_check_fails() -> None:
    after = state({"triggerer": replace(UNIT, since=500.0)})
    assert failed(state(), after, CANARY) == {("triggerer", "unit")}


@pytest.mark.parametrize("status", ["unhealthy", "unknown"])
def test_unhealthy_component_fails(status: str) -> None:
    canary = replace(CANARY, health=HEALTHY | {"scheduler": status})
    assert failed(state(), state(), canary) == {("scheduler", "health")}


def test_no_answer_from_the_web_server_fails() -> None:
    canary = Canary(health_error="refused", error="refused")
    assert failed(state(), state(), canary) == {("web", "health"), ("", "canary DAG")}


def test_green_health_with_failed_tasks_fails() -> None:
    canary = replace(CANARY, tasks=(Task("bash", "failed"),))
    assert failed(state(), state(), canary) == {("", "canary DAG")}


def test_a_silent_port_fails() -> None:
    assert failed(state(), state(ports=(8080, 8793, 8794)), CANARY) == {("scheduler", "port 8974")}


def test_a_worker_that_is_not_back_yet_is_said_to_end_its_tasks() -> None:
    cluster = Cluster.planned(Path("/inventory"), {"h1": GROUPS, "w1": ("worker",)})
    for active, said in (
        ("active", "it does not answer"),
        ("deactivating", "it still ends its tasks"),
    ):
        worker = HostState(
            cluster.host("w1"), ("worker",), units={"worker": replace(UNIT, active=active)}
        )
        found = prove(cluster, Evidence([state(), worker], [state(), worker], CANARY))
        assert [one.detail for one in found if one.id == "running.queues"] == [said]


def test_a_wrong_clock_fails() -> None:
    assert failed(state(), state(clock=1010.0), CANARY) == {("", "clock")}


def test_table_shows_heartbeat_and_the_journal_of_a_dead_unit() -> None:
    dead = state({"scheduler": UnitState("failed", "failed", journal=("boom",))})
    found = rows([dead])
    assert {row["component"]: row["heartbeat_age"] for row in found}["scheduler"] == 2.0
    shown = text(found)
    assert "failed (failed)" in shown
    assert "boom" in shown


def test_what_does_not_hold_is_a_finding_of_its_own_kind() -> None:
    units = {
        "triggerer": replace(UNIT, since=500.0),
        "scheduler": replace(UNIT, active="failed", journal=("boom",)),
    }
    after = state(units, clock=1010.0, ports=(8080, 8793, 8794))
    found = {one.id: one for one in failures(proofs(state(), after, CANARY))}
    assert set(found) == {"running.restarted", "running.unit", "running.port", "running.clock"}
    unit = found["running.unit"]
    assert (unit.host, unit.what) == ("h1", "scheduler unit: failed (running), 0 restart(s)")
    assert "journalctl -u airflow-scheduler" in unit.fix
    assert unit.why


def test_a_host_that_does_not_answer_is_the_problem_of_its_connection() -> None:
    problem = HostProblem("unreachable", "h1", "10.0.0.1 port 22 refuses connections", "start it")
    silent = HostState(HOST, COMPONENTS, problem=problem)
    (finding,) = failures([one for one in prove(CLUSTER, Evidence([state()], [silent], CANARY))
                           if one.name == "reached"])  # fmt: skip
    assert (finding.id, finding.fix) == ("access.unreachable", "start it")
