"""What is wrong with a running cluster, by what was seen of it; no host needed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, SINGLE, good_facts, ids

from toolkit.checks.health import seen_whole, unhealthy
from toolkit.cluster import Cluster
from toolkit.cluster.topology import airflow_components, ports
from toolkit.findings import Finding, Severity
from toolkit.hosts import HostProblem
from toolkit.hosts.canary import Slots, Task, Workers
from toolkit.hosts.database import Examined, Problem
from toolkit.hosts.facts import Airflow, Facts, Memory, Probe, Unit
from toolkit.hosts.health import Certificate, Seen
from toolkit.hosts.state import (
    DatabaseState,
    Drained,
    FailedCanary,
    HostState,
    Job,
    Maintenance,
    Queued,
    Silent,
    UnitState,
)

CLUSTER = Cluster.planned(Path("/inventory"), CELERY)
CONSUMED = {one: ("default", f"toolkit.{one}") for one in ("w1", "w2")}
NOW = 10_000.0


def state(name: str, cluster: Cluster = CLUSTER, **changes: Any) -> HostState:
    host = cluster.host(name)
    components = airflow_components(cluster, host)
    jobs = (Job("SchedulerJob", name, 2.0), Job("TriggererJob", name, 2.0))
    asked = "scheduler" in host.groups
    good = HostState(
        host,
        components,
        units=dict.fromkeys(components, UnitState("active", "running", 0, since=100.0)),
        ports=tuple(port.number for port in ports(cluster, host)),
        release="3.3.2-0123456789ab" if components else None,
        database=DatabaseState("s", jobs) if asked else None,
        workers=Workers(CONSUMED) if asked and cluster.group("worker") else None,
        hostname=name,
        clock=NOW,
    )
    return replace(good, **changes)


def facts(name: str, cluster: Cluster = CLUSTER, **changes: Any) -> Facts:
    units = tuple(
        Unit(f"airflow-{one}.service", "active", enabled="enabled", ours=True)
        for one in airflow_components(cluster, cluster.host(name))
    )
    airflow = Airflow(True, "3.3.2-0123456789ab" if units else "", bool(units), units=units)
    return good_facts(**{"airflow": airflow, **changes})


def cluster_seen(cluster: Cluster = CLUSTER, **changed: HostState) -> Seen:
    """A cluster that is well, but for the states that are given by host."""
    states = {one.name: state(one.name, cluster) for one in cluster.hosts} | changed
    return Seen(
        tuple(states.values()),
        Probe({one.name: facts(one.name, cluster) for one in cluster.hosts}),
        Workers(CONSUMED) if cluster.group("worker") else None,
        database=Examined("current", ("s",)),
    )


def with_facts(name: str, **changes: Any) -> Seen:
    good = cluster_seen()
    return replace(good, probe=Probe({**good.probe.facts, name: facts(name, **changes)}))


def only(seen: Seen, id: str, host: str = "", cluster: Cluster = CLUSTER) -> Finding:
    found = unhealthy(cluster, seen)
    assert ids(found) == [id]
    assert found[0].host == host
    assert found[0].why
    assert found[0].fix
    return found[0]


@pytest.mark.parametrize("groups", [CELERY, SINGLE])
def test_a_cluster_that_is_well(groups: dict[str, tuple[str, ...]]) -> None:
    cluster = Cluster.planned(Path("/inventory"), groups)
    assert unhealthy(cluster, cluster_seen(cluster)) == []


def test_a_worker_that_is_stopped_is_one_finding() -> None:
    stopped = {"worker": UnitState("inactive", "dead")}
    seen = cluster_seen(w2=state("w2", units=stopped))
    seen = replace(seen, workers=Workers({"w1": CONSUMED["w1"]}))
    assert "inactive" in only(seen, "running.unit", "w2").what


def test_the_worker_of_a_drained_host_is_stopped_and_disabled_on_purpose() -> None:
    stopped = {"worker": UnitState("inactive", "dead")}
    drained = state("w2", units=stopped, drained=Drained(NOW - 7200, "ann@laptop"))
    seen = replace(cluster_seen(w2=drained), workers=Workers({"w1": CONSUMED["w1"]}))
    unit = Unit("airflow-worker.service", enabled="disabled", ours=True)
    off = facts(
        "w2", airflow=Airflow(True, "3.3.2-0123456789ab", True, units=(unit,), drained=True)
    )
    seen = replace(seen, probe=Probe({**seen.probe.facts, "w2": off}))
    finding = only(seen, "health.drained", "w2")
    assert finding.severity is Severity.WARNING
    assert finding.what == "it has been drained for 2 h by ann@laptop"
    assert finding.fix == "toolkit undrain -i /inventory w2"


def test_maintenance_that_nobody_ended() -> None:
    on = state("a1", maintenance=Maintenance(NOW - 7200, "ann@laptop", ("report",)))
    finding = only(cluster_seen(a1=on), "health.maintenance")
    assert finding.what == "all DAGs have been paused for 2 h by ann@laptop"
    assert finding.fix == "toolkit maintenance -i /inventory off"


def test_a_worker_that_runs_and_does_not_consume() -> None:
    seen = replace(cluster_seen(), workers=Workers({"w1": CONSUMED["w1"], "w2": ("default",)}))
    assert "lacks toolkit.w2" in only(seen, "running.queues", "w2").what
    broken = state("a1", broker_error="refused", workers=Workers(error="refused"))
    seen = replace(cluster_seen(a1=broken), workers=Workers(error="refused"))
    assert "refused" in only(seen, "alive.broker", "a1").what


def test_what_somebody_has_just_started_is_given_a_minute() -> None:
    workers = Workers({"w1": CONSUMED["w1"]})
    named = ["alive.port", "running.queues"]
    for age, restarts, found in ((59, 0, []), (61, 0, named), (3, 1, named)):
        unit = UnitState("active", "running", restarts, since=NOW - age)
        fresh = state("w2", units={"worker": unit}, ports=())
        assert ids(unhealthy(CLUSTER, replace(cluster_seen(w2=fresh), workers=workers))) == found


def test_a_database_that_nobody_could_look_into() -> None:
    assert only(replace(cluster_seen(), database=Examined()), "health.not_examined").fix
    down = replace(state("a1").database or DatabaseState(), error="refused")
    seen = replace(cluster_seen(a1=state("a1", database=down)), database=Examined())
    assert "health.not_examined" not in ids(unhealthy(CLUSTER, seen))


def test_what_could_not_be_looked_at_is_said() -> None:
    seen = with_facts("w1", errors={"paths": "took too long"})
    assert "could not find out about paths" in only(seen, "access.incomplete", "w1").what


def test_a_host_that_is_not_reached() -> None:
    problem = HostProblem("unreachable", "w2", "no route", "start it")
    seen = cluster_seen(w2=HostState(CLUSTER.host("w2"), ("worker",), problem=problem))
    seen = replace(seen, probe=Probe({k: v for k, v in seen.probe.facts.items() if k != "w2"}))
    only(seen, "access.unreachable", "w2")
    assert not seen_whole(CLUSTER, seen)
    assert seen_whole(CLUSTER, cluster_seen())


@pytest.mark.parametrize(
    ("restarts", "ago", "severity"),
    [(4, 5, None), (9, 700, None), (9, 300, Severity.WARNING), (9, 5, Severity.ERROR)],
)
def test_a_unit_that_is_restarted_again_and_again(
    restarts: int, ago: int, severity: Severity | None
) -> None:
    units = {"worker": UnitState("active", "running", restarts, since=NOW - ago)}
    found = unhealthy(CLUSTER, cluster_seen(w1=state("w1", units=units)))
    assert [(one.id, one.severity) for one in found] == (
        [("health.restarts", severity)] if severity else []
    )


def queued(queue: str, oldest: float, **more: Any) -> Seen:
    database = replace(state("a1").database or DatabaseState(), queued=(Queued(queue, 3, oldest),))
    return replace(cluster_seen(a1=state("a1", database=database)), **more)


def test_tasks_that_wait_although_slots_are_free() -> None:
    slots = Slots({"w1": 16, "w2": 16}, {"w1": 16, "w2": 4})
    finding = only(queued("default", 900, slots=slots), "health.queued")
    assert finding.what == (
        "3 tasks have waited in queue default for up to 15 min, and w2 could run 12 more"
    )
    for oldest, found in ((900, Slots({"w1": 1}, {"w1": 1})), (59, slots), (900, None)):
        assert unhealthy(CLUSTER, queued("default", oldest, slots=found)) == []


def test_tasks_that_give_no_heartbeat() -> None:
    def seen(silent: Silent, cluster: Cluster = CLUSTER) -> Seen:
        database = replace(state("a1").database or DatabaseState(), silent=(silent,))
        return cluster_seen(cluster, a1=state("a1", database=database))

    finding = only(seen(Silent("w1", 4, 40.0)), "health.silent_tasks", "w1")
    assert finding.what == "4 tasks that run here have given no heartbeat for up to 40 s"
    assert only(seen(Silent("gone", 1, 40.0)), "health.silent_tasks", "gone")
    assert unhealthy(CLUSTER, seen(Silent("w1", 4, 25.0))) == []
    rarely = {"airflow_config": {"workers": {"min_heartbeat_interval": 30}}}
    cluster = Cluster.planned(Path("/inventory"), CELERY, rarely)
    assert unhealthy(cluster, seen(Silent("w1", 4, 40.0), cluster)) == []


def test_tasks_that_wait_for_a_local_executor() -> None:
    cluster = Cluster.planned(Path("/inventory"), SINGLE)
    good = state("h1", cluster)
    database = replace(good.database or DatabaseState(), queued=(Queued("default", 1, 900),), running=2)  # fmt: skip
    seen = cluster_seen(cluster, h1=replace(good, database=database))
    assert "1 task has waited" in only(replace(seen, parallelism=3), "health.queued", cluster=cluster).what  # fmt: skip
    for parallelism in (2, None):
        assert unhealthy(cluster, replace(seen, parallelism=parallelism)) == []


def test_tasks_in_a_queue_that_nobody_consumes() -> None:
    assert only(queued("gpu", 31), "health.no_consumer").severity is Severity.ERROR
    assert unhealthy(CLUSTER, queued("gpu", 29)) == []
    # That its worker is silent is a finding of its own.
    silent = queued("toolkit.w2", 900, workers=Workers({"w1": CONSUMED["w1"]}))
    assert ids(unhealthy(CLUSTER, silent)) == ["running.queues"]
    # When nobody could ask the workers, nobody knows.
    unasked = queued("gpu", 900, workers=Workers(CONSUMED, error="refused"))
    assert unhealthy(CLUSTER, unasked) == []


def test_tasks_in_a_queue_of_a_drained_host_alone() -> None:
    seen = queued("toolkit.w2", 900, workers=Workers({"w1": CONSUMED["w1"]}))
    resting = state("w2", units={"worker": UnitState("inactive", "dead")}, drained=Drained(NOW))
    seen = replace(seen, states=(*(one for one in seen.states if one.host.name != "w2"), resting))
    found = unhealthy(CLUSTER, seen)
    assert [(one.id, one.severity) for one in found] == [
        ("health.no_consumer", Severity.WARNING),
        ("health.drained", Severity.WARNING),
    ]
    assert found[0].fix == "toolkit undrain -i /inventory w2"


def test_the_newest_canary_failed_on_one_host() -> None:
    how = {"bash_on_w1": "success", "python_on_w1": "success", "bash_on_w2": "success"}
    tasks = tuple(Task(task, end) for task, end in how.items())
    failed = FailedCanary((*tasks, Task("python_on_w2", "failed")), 7200.0)
    database = replace(state("a1").database or DatabaseState(), canary=failed)
    finding = only(cluster_seen(a1=state("a1", database=database)), "running.canary", "w2")
    assert finding.what == "canary DAG: bash success, python failed, 2 h ago"


def test_what_differs_between_hosts() -> None:
    seen = cluster_seen(
        a1=state("a1", dags="2"), w1=state("w1", dags="2"), w2=state("w2", dags="1")
    )
    finding = only(seen, "health.dag_releases")
    assert finding.what == "hosts have different releases of DAGs: 1 on w2; 2 on a1 and w1"
    for ago, found in ((9.0, []), (11.0, ["health.dag_releases"])):
        switching = state("w1", dags="2", dags_since=NOW - ago)
        assert ids(unhealthy(CLUSTER, cluster_seen(w1=switching))) == found
    only(cluster_seen(w2=state("w2", release="3.3.1-0")), "running.same_release")
    keys = [{"AIRFLOW__API__SECRET_KEY": value} for value in "ab"]
    secrets = cluster_seen(w1=state("w1", digests=keys[0]), w2=state("w2", digests=keys[1]))
    only(secrets, "running.same_secret")


def test_what_the_database_holds() -> None:
    problems = (
        Problem("database.import_error", "warning", "a.py:3 cannot be imported", "correct it"),
        Problem("database.fernet_key", "error", "does not decrypt", "recover it"),
    )
    seen = replace(cluster_seen(), database=Examined("current", ("s",), problems))
    found = unhealthy(CLUSTER, seen)
    assert [(one.id, one.severity) for one in found] == [
        ("running.fernet_key", Severity.ERROR),
        ("running.import_error", Severity.WARNING),
    ]


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"free_mb": 1900}, Severity.WARNING),
        ({"free_mb": 400}, Severity.ERROR),
        ({"free_mb": 1900, "total_mb": 8000}, None),
        ({"free_mb": 700, "total_mb": 8000}, Severity.WARNING),
        ({"free_inodes": 9_000}, Severity.WARNING),
        ({"free_inodes": 900}, Severity.ERROR),
        ({"free_inodes": None}, None),
    ],
)
def test_a_disk_that_is_nearly_full(changes: dict[str, Any], severity: Severity | None) -> None:
    places = tuple(replace(one, **changes) for one in good_facts().paths)
    found = unhealthy(CLUSTER, with_facts("d1", paths=places))
    assert [(one.id, one.host, one.severity) for one in found] == (
        [("health.disk", "d1", severity)] if severity else []
    )


def test_a_disk_that_has_become_read_only() -> None:
    places = tuple(replace(one, read_only=True) for one in good_facts().paths)
    assert "mounted ro" in only(with_facts("d1", paths=places), "capacity.read_only", "d1").what


@pytest.mark.parametrize(
    ("available", "severity"), [(500, None), (350, Severity.WARNING), (100, Severity.ERROR)]
)
def test_memory_that_is_nearly_used_up(available: int, severity: Severity | None) -> None:
    found = unhealthy(CLUSTER, with_facts("w1", memory=Memory(8000, available)))
    assert [(one.id, one.severity) for one in found] == (
        [("health.memory", severity)] if severity else []
    )
    assert unhealthy(CLUSTER, with_facts("w1", memory=None)) == []


@pytest.mark.parametrize(
    ("days", "severity"), [(22, None), (3, Severity.WARNING), (-1, Severity.ERROR)]
)
def test_a_certificate_that_ends(days: int, severity: Severity | None) -> None:
    seen = replace(cluster_seen(), certificates={"a1": Certificate(NOW + days * 86400)})
    found = unhealthy(CLUSTER, seen)
    assert [(one.id, one.severity) for one in found] == (
        [("health.certificate", severity)] if severity else []
    )


def test_a_certificate_that_was_renewed_and_is_not_shown() -> None:
    old, new = NOW + 3 * 86400, NOW + 90 * 86400
    finding = only(replace(cluster_seen(), certificates={"a1": Certificate(new, old)}), "health.certificate", "a1")  # fmt: skip
    assert finding.what.startswith("the certificate that the web server shows ends on ")
    assert "is a newer one" in finding.fix
    unread = only(replace(cluster_seen(), certificates={"a1": Certificate(None, old)}), "health.certificate", "a1")  # fmt: skip
    assert unread.fix.startswith("renew ")
    assert unhealthy(CLUSTER, replace(cluster_seen(), certificates={"a1": Certificate()})) == []


def test_a_file_that_was_changed_and_a_clock_that_is_wrong() -> None:
    only(with_facts("w1", drift={"/etc/airflow/airflow.cfg": "changed"}), "drift.changed", "w1")
    only(with_facts("w1", clock_start=80.2, clock_end=80.4), "peers.clock", "w1")
