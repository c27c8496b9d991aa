"""What is not well although every unit is active; no host needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from toolkit.checks.alive import not_well
from toolkit.cluster import Cluster
from toolkit.findings import Finding
from toolkit.hosts import HostProblem
from toolkit.hosts.state import DatabaseState, HostState, Job, UnitState, heartbeats

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
GROUPS = {"a1": ("scheduler", "webserver"), "d1": ("metadata_db", "broker"), "w1": ("worker",)}
CLUSTER = Cluster.planned(Path("/inventory"), GROUPS)
BEGAN = 100.0
UNIT = UnitState("active", "running", 0, since=BEGAN, memory_mb=200)
DATABASE = DatabaseState("s", (Job("SchedulerJob", "a1", 2.0), Job("TriggererJob", "a1", 4.0)))


def found(cluster: Cluster = CLUSTER, **changes: Any) -> list[Finding]:
    state = HostState(
        cluster.host("a1"),
        COMPONENTS,
        units=dict.fromkeys(COMPONENTS, UNIT),
        ports=(8080, 8794, 8974),
        database=DATABASE,
        hostname="a1",
        clock=BEGAN + 86400.0,
    )
    return list(not_well(cluster, [replace(state, **changes)]))


def ids(findings: list[Finding]) -> list[str]:
    return [one.id for one in findings]


def test_a_cluster_that_is_well() -> None:
    assert found() == []
    assert found(problem=HostProblem("unreachable", "a1", "no route", "try again")) == []


def test_servers_that_do_not_answer_are_named_with_their_host() -> None:
    database, broker = found(database=DatabaseState(error="refused"), broker_error="refused")
    assert (database.id, broker.id) == ("alive.metadata_db", "alive.broker")
    assert database.what == "the database does not answer: refused"
    assert "systemctl status 'postgres*'" in database.fix
    assert "systemctl status 'redis*'" in broker.fix


def test_a_port_of_a_unit_that_is_active_is_open() -> None:
    assert ids(found(ports=(8794, 8974))) == ["alive.port"]
    (silent,) = found(silent=(8080,))
    assert (silent.id, silent.what) == (
        "alive.silent",
        "api-server takes connections on port 8080 and answers nothing",
    )
    down = dict.fromkeys(COMPONENTS, UNIT) | {"api-server": replace(UNIT, active="activating")}
    assert found(ports=(8794, 8974), units=down) == []


def test_an_old_heartbeat_is_none() -> None:
    jobs = (Job("SchedulerJob", "a1", 1643.0), Job("TriggererJob", "elsewhere", 99.0))
    (finding,) = found(database=DatabaseState("s", jobs))
    assert finding.what == "scheduler has given no heartbeat for 1643 s"


def test_a_unit_has_given_no_heartbeat_for_as_long_as_it_runs() -> None:
    jobs = DatabaseState("s", (Job("SchedulerJob", "a1", 1643.0),))
    assert found(database=jobs, clock=BEGAN + 5.0) == []
    (finding,) = found(database=jobs, clock=BEGAN + 300.0)
    assert finding.what == "scheduler has given no heartbeat for 300 s"
    down = dict.fromkeys(COMPONENTS, UNIT) | {"scheduler": replace(UNIT, active="inactive")}
    assert found(database=jobs, clock=BEGAN + 300.0, units=down) == []


def test_a_host_that_had_another_name() -> None:
    jobs = (Job("SchedulerJob", "a1", 2.0), Job("SchedulerJob", "a1.example.com", 86400.0))
    assert found(database=DatabaseState("s", jobs), airflow_name="a1.example.com") == []


def test_only_a_heartbeat_of_the_unit_that_runs_is_shown() -> None:
    jobs = DatabaseState("s", (Job("SchedulerJob", "a1", 1643.0), Job("TriggererJob", "a1", 4.0)))
    state = HostState(CLUSTER.host("a1"), COMPONENTS, units=dict.fromkeys(COMPONENTS, UNIT),
                      database=jobs, hostname="a1", clock=BEGAN + 5.0)  # fmt: skip
    assert heartbeats([state]) == {("triggerer", "a1"): 4.0}


@pytest.mark.parametrize(
    ("setting", "chosen"),
    [
        ("airflow_config", {"triggerer": {"job_heartbeat_sec": 60}}),
        ("airflow_config", {"scheduler": {"scheduler_heartbeat_sec": "60"}}),
        ("airflow_environment", {"AIRFLOW__SCHEDULER__JOB_HEARTBEAT_SEC": "60"}),
    ],
)
def test_heartbeats_that_come_as_seldom_as_somebody_chose(
    setting: str, chosen: dict[str, Any]
) -> None:
    cluster = Cluster.planned(Path("/inventory"), GROUPS, {setting: chosen})
    jobs = (Job("SchedulerJob", "a1", 100.0), Job("TriggererJob", "a1", 100.0))
    assert found(cluster, database=DatabaseState("s", jobs)) == []
    assert ids(found(database=DatabaseState("s", jobs))) == ["alive.heartbeat"] * 2
