from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.preflight_data import AMAZON, CELERY, good_facts, make_cluster, only, probe_of

from toolkit.checks import capacity, validate_hosts
from toolkit.cluster.disks import paths as all_paths
from toolkit.cluster.lock import release_name
from toolkit.cluster.sizing import need, server_connections
from toolkit.findings import Finding, Severity
from toolkit.hosts.external import Service
from toolkit.hosts.facts import Airflow, Machine, Memory, PathFacts, Probe, Release


def findings(
    directory: Path, settings: dict[str, Any] | None = None, **changes: Any
) -> list[Finding]:
    cluster = make_cluster(directory, **(settings or {}))
    return validate_hosts(cluster, probe_of(cluster, h1=good_facts(**changes)))


def paths(root: dict[str, Any], **others: dict[str, Any]) -> tuple[PathFacts, ...]:
    """Every path on one filesystem, except those that are mounts (named without slashes)."""
    base = PathFacts(device=1, mount="/", free_mb=20_000, total_mb=40_000, free_inodes=1_000_000)
    mounts = {name.replace("_", "/"): values for name, values in others.items()}
    return tuple(
        replace(base, path=path, device=2, mount=path, **mounts[path])
        if path in mounts
        else replace(base, path=path, **root)
        for path in all_paths()
    )


def test_needs_on_one_filesystem_are_added_up(tmp_path: Path) -> None:
    # More than any one of the needs, less than all of them.
    finding = only(findings(tmp_path, paths=paths({"free_mb": 2000})), "capacity.disk", "h1")
    assert finding.what.startswith("/ has 2000 MB free, and 4000 MB are needed: ")
    assert "/opt/airflow 1200 MB" in finding.what
    assert "/var/lib/postgresql 1000 MB" in finding.what
    assert "/var/lib/redis" not in finding.what


def test_a_small_filesystem_of_its_own(tmp_path: Path) -> None:
    full = paths({"free_mb": 5000}, _opt_airflow={"free_mb": 64})
    finding = only(findings(tmp_path, paths=full), "capacity.disk", "h1")
    assert finding.what.startswith("/opt/airflow has 64 MB free, and 1200 MB are needed")


def test_room_is_enough_when_spread(tmp_path: Path) -> None:
    spread = paths({"free_mb": 2900}, _opt_airflow={"free_mb": 1300})
    assert findings(tmp_path, paths=spread) == []


def test_an_installed_host_needs_less(tmp_path: Path) -> None:
    installed = Airflow(ours=True, configured=True)
    little = paths({"free_mb": 1300, "free_inodes": 10})
    assert findings(tmp_path, paths=little, airflow=installed) == []
    less = paths({"free_mb": 1100})
    finding = only(findings(tmp_path, paths=less, airflow=installed), "capacity.disk", "h1")
    assert "1200 MB are needed" in finding.what


def test_an_environment_that_is_built_needs_no_room_again(tmp_path: Path) -> None:
    name = release_name(make_cluster(tmp_path))
    full = paths({"free_mb": 2900}, _opt_airflow={"free_mb": 10, "free_inodes": 10})
    begun = Airflow(ours=True, releases=(Release(name, complete=False),))
    assert {f.id for f in findings(tmp_path, paths=full, airflow=begun)} == {
        "capacity.disk",
        "capacity.inodes",
    }
    built = Airflow(ours=True, releases=(Release(name, complete=True),))
    assert findings(tmp_path, paths=full, airflow=built) == []


def test_a_host_without_airflow_needs_no_room_for_it(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    facts = good_facts(1, paths=paths({}, _opt_airflow={"free_mb": 0}))
    assert validate_hosts(cluster, probe_of(cluster, d1=facts)) == []


def test_inodes(tmp_path: Path) -> None:
    few = paths({}, _opt_airflow={"free_inodes": 5000})
    finding = only(findings(tmp_path, paths=few), "capacity.inodes", "h1")
    assert "5000 more files" in finding.what
    unlimited = paths({}, _opt_airflow={"free_inodes": None})
    assert findings(tmp_path, paths=unlimited) == []


def test_read_only(tmp_path: Path) -> None:
    finding = only(
        findings(tmp_path, paths=paths({}, _var_lib_airflow={"read_only": True})),
        "capacity.read_only",
        "h1",
    )
    assert "remount,rw /var/lib/airflow" in finding.fix


def test_noexec_matters_where_programs_are(tmp_path: Path) -> None:
    assert findings(tmp_path, paths=paths({}, _tmp={"noexec": True})) == []
    finding = only(
        findings(tmp_path, paths=paths({}, _opt_airflow={"noexec": True})), "capacity.noexec", "h1"
    )
    assert "remount,exec /opt/airflow" in finding.fix


TUNED = {"airflow_parallelism": 2, "airflow_web_workers": 1, "airflow_triggerer_enabled": False}


@pytest.mark.parametrize(
    ("total", "settings", "id"),
    [
        (8000, {}, None),
        (2000, {}, "capacity.little_memory"),
        (980, {}, "capacity.memory"),
        (980, TUNED, "capacity.little_memory"),
        (700, TUNED, "capacity.memory"),
        (8000, {"airflow_parallelism": 128}, "capacity.memory"),
        (4000, {"airflow_web_workers": 16}, "capacity.memory"),
        (8000, {"airflow_version": "2.11.2", "airflow_parallelism": 16}, None),
    ],
)
def test_memory(tmp_path: Path, total: int, settings: dict[str, Any], id: str | None) -> None:
    found = findings(tmp_path, settings, memory=Memory(total_mb=total, swap_mb=1000))
    assert [finding.id for finding in found] == ([id] if id else [])
    if id:
        assert found[0].severity is (
            Severity.ERROR if id == "capacity.memory" else Severity.WARNING
        )


def test_a_worker_host_is_told_to_lower_its_concurrency(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, airflow_worker_concurrency=64)
    probe = probe_of(cluster, w1=good_facts(3, memory=Memory(total_mb=2000)))
    finding = only(validate_hosts(cluster, probe), "capacity.memory", "w1")
    assert "airflow_worker_concurrency" in finding.fix


@pytest.mark.parametrize("memory_mb", [1800, 2000, 4000, 8000, 32_000])
@pytest.mark.parametrize("cpus", [1, 2, 8, 64])
@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_derived_sizes_fit_every_host_that_is_not_too_small(
    tmp_path: Path, memory_mb: int, cpus: int, version: str
) -> None:
    cluster = make_cluster(tmp_path, airflow_version=version)
    assert need(cluster, cluster.host("h1"), memory_mb, cpus) <= memory_mb


def test_a_database_server_that_lets_in_too_few(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, postgres_max_connections=12)
    found = only(validate_hosts(cluster, probe_of(cluster)), "capacity.connections")
    assert "postgres_max_connections" in found.fix
    service = Service("metadata_db", "db:5432", server="PostgreSQL", version=(17,),
                      encoding="UTF8", max_connections=15)  # fmt: skip
    url = "postgresql+psycopg2://airflow:long-password@db/airflow"
    hosts = {"h1": ("scheduler", "webserver")}
    external = make_cluster(tmp_path, hosts, metadata_db_url=url)
    found = only(validate_hosts(external, replace(probe_of(external), services=(service,))),
                 "capacity.connections")  # fmt: skip
    assert "lets in 15 connections" in found.what
    assert "ALTER SYSTEM" in found.fix
    rds = replace(service, address="toolkit-prod.abc.eu-central-1.rds.amazonaws.com:5432")
    found = only(validate_hosts(external, replace(probe_of(external), services=(rds,))),
                 "capacity.connections")  # fmt: skip
    assert "max_connections in its DB parameter group" in found.fix


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    memory_mb=st.integers(1800, 500_000),
    cpus=st.integers(1, 128),
    # Beyond five large workers tasks of Airflow 2 may need more, which is found and said.
    plan=st.tuples(st.just("2.11.2"), st.integers(0, 5))
    | st.tuples(st.just("3.3.2"), st.integers(0, 12)),
)
def test_our_own_server_lets_in_whatever_is_derived(
    tmp_path: Path, memory_mb: int, cpus: int, plan: tuple[str, int]
) -> None:
    hosts = {"d1": ("metadata_db", "broker"), "a1": ("scheduler", "webserver")}
    hosts |= {f"w{number}": ("worker",) for number in range(plan[1])}
    cluster = make_cluster(tmp_path, hosts, airflow_version=plan[0])
    facts = good_facts(memory=Memory(memory_mb, swap_mb=1), machine=Machine(cpus=cpus))
    probe = Probe({host.name: facts for host in cluster.all_hosts})
    assert list(capacity.database_connections(cluster, probe)) == []


def test_a_worker_more_restarts_no_server(tmp_path: Path) -> None:
    limits = {
        server_connections(
            make_cluster(tmp_path, CELERY | {f"w{n}": ("worker",) for n in range(more)}), "postgres"
        )
        for more in range(4)
    }
    assert limits == {300}


def test_amazon_linux_keeps_its_data_elsewhere(tmp_path: Path) -> None:
    finding = only(
        findings(tmp_path, os=AMAZON, paths=paths({"free_mb": 2000})), "capacity.disk", "h1"
    )
    assert "/var/lib/pgsql 1000 MB" in finding.what
    assert "/var/cache/dnf 200 MB" in finding.what
    assert "/var/lib/postgresql" not in finding.what
    assert "/var/cache/apt" not in finding.what
