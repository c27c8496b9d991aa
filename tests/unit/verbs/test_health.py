"""Durations, and what `toolkit wait` waits for; no host needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.preflight_data import CELERY

from toolkit.checks.report import report
from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.findings import Finding, Severity
from toolkit.hosts import HostProblem
from toolkit.hosts.health import Seen
from toolkit.hosts.mutes import Mute
from toolkit.hosts.state import Drained, HostState, UnitState
from toolkit.verbs.wait import missing_of

CLUSTER = Cluster.planned(Path("/inventory"), CELERY)
RELEASE = "20261128T101500Z-1a2b3c4d"
NOTHING = report([], [], 0.0, whole=True)


def worker(name: str, active: str = "active", *, drained: bool = False) -> HostState:
    return HostState(CLUSTER.host(name), ("worker",), units={"worker": UnitState(active)},
                     drained=Drained(1.0, "ann") if drained else None, dags=RELEASE)  # fmt: skip


def test_healthy_is_without_errors_that_count() -> None:
    missing = missing_of(CLUSTER, "healthy")
    stopped = Finding.of("running.unit", host="w1", what="worker is down", fix="f")
    warning = replace(stopped, severity=Severity.WARNING)
    mute = Mute("running.unit", count=1)
    assert missing(report([warning], [], 0, whole=True), Seen(())) == []
    assert missing(report([stopped], [mute], 0, whole=True), Seen(())) == []
    assert missing(report([stopped], [], 0, whole=True), Seen(())) == [
        "w1: worker is down [running.unit]"
    ]


def test_drained_is_marked_and_stopped() -> None:
    problem = HostProblem("unreachable", "w1", "no route", "start it")
    for state, said in (
        (worker("w1", "inactive", drained=True), []),
        (worker("w1", "failed", drained=True), []),
        (worker("w1", "deactivating", drained=True), ["the worker of w1 is deactivating"]),
        (worker("w1", "inactive"), ["w1 is not drained"]),
        (HostState(CLUSTER.host("w1"), ("worker",), problem), ["w1: no route"]),
        (HostState(CLUSTER.host("d1"), ()), []),
    ):
        assert missing_of(CLUSTER, "drained")(NOTHING, Seen((state,))) == said
    with pytest.raises(ToolkitError, match="none can be drained"):
        missing_of(CLUSTER.limited("d1"), "drained")


def test_deployed_is_on_every_host_with_airflow() -> None:
    states = (HostState(CLUSTER.host("d1"), ()), worker("w1"), worker("w2"))
    for release in (RELEASE, "20261128T101500Z"):
        assert missing_of(CLUSTER, f"deployed={release}")(NOTHING, Seen(states)) == []
    other = "20261129T101500Z-1a2b3c4d"
    said = [f"w1 has {RELEASE}", f"w2 has {RELEASE}"]
    assert missing_of(CLUSTER, f"deployed={other}")(NOTHING, Seen(states)) == said
    with pytest.raises(ToolkitError, match="no release id"):
        missing_of(CLUSTER, "deployed=v1")


@pytest.mark.parametrize("condition", ["deployed", "deployed=", "health", "healthy=1", ""])
def test_no_condition(condition: str) -> None:
    with pytest.raises(ToolkitError, match="nobody can wait") as caught:
        missing_of(CLUSTER, condition)
    assert caught.value.exit_code == 2
