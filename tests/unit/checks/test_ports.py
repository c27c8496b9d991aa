from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import AMAZON, CELERY, good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Finding
from toolkit.hosts.facts import Airflow, Listener, Packages, System, Unit

OURS = Airflow(ours=True, units=(Unit("airflow-api-server.service", ours=True), Unit("af.service")))


def listener(port: int, unit: str = "nginx.service", pid: int = 7) -> Listener:
    return Listener(pid, "nginx" if pid else "", "www" if pid else "", unit, port, "0.0.0.0")


def findings(
    directory: Path, settings: dict[str, Any] | None = None, **changes: Any
) -> list[Finding]:
    cluster = make_cluster(directory, **(settings or {}))
    return validate_hosts(cluster, probe_of(cluster, h1=good_facts(**changes)))


@pytest.mark.parametrize(
    ("port", "setting"),
    [
        (8080, "airflow_web_port"),
        (8793, "airflow_worker_log_port"),
        (8794, "airflow_triggerer_log_port"),
        (8974, "airflow_scheduler_health_port"),
        (5432, "postgres_port"),
    ],
)
def test_a_port_that_something_else_has(tmp_path: Path, port: int, setting: str) -> None:
    both = (listener(port), listener(port))  # IPv4 and IPv6
    finding = only(findings(tmp_path, listeners=both), "ports.taken", "h1")
    assert finding.what == f"port {port} is taken by nginx (pid 7, user www, unit nginx.service)"
    assert setting in finding.fix
    assert "systemctl disable --now nginx.service" in finding.fix


def test_a_moved_port_is_the_one_that_counts(tmp_path: Path) -> None:
    moved = {"airflow_web_port": 9090}
    assert findings(tmp_path, moved, listeners=(listener(8080),)) == []
    assert ids(findings(tmp_path, moved, listeners=(listener(9090),))) == ["ports.taken"]


def test_only_ports_of_the_host_s_own_components_count(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    busy = tuple(listener(port) for port in (8080, 8794, 8974, 5432, 6379))
    assert validate_hosts(cluster, probe_of(cluster, w1=good_facts(3, listeners=busy))) == []
    busy = (listener(8793), listener(8080))
    found = validate_hosts(cluster, probe_of(cluster, a1=good_facts(2, listeners=busy)))
    assert "port 8080" in only(found, "ports.taken", "a1").what


def test_our_own_unit_may_have_it(tmp_path: Path) -> None:
    ours = (listener(8080, "airflow-api-server.service"),)
    assert findings(tmp_path, listeners=ours, airflow=OURS) == []
    theirs = (listener(8080, "af.service"),)
    assert ids(findings(tmp_path, listeners=theirs, airflow=OURS)) == ["ports.taken"]


def test_a_process_that_cannot_be_seen(tmp_path: Path) -> None:
    finding = only(findings(tmp_path, listeners=(listener(8080, "", 0),)), "ports.taken", "h1")
    assert "a process that only root can see" in finding.what


def test_a_database_server_that_was_there_before(tmp_path: Path) -> None:
    changes: dict[str, Any] = {
        "packages": Packages(
            manager="apt-get", servers={"postgresql-15": "15.1", "redis-server": "7"}
        ),
        "listeners": (listener(5432, "postgresql@15-main.service"),),
    }
    finding = only(findings(tmp_path, **changes), "ports.server_present", "h1")
    assert "postgresql-15" in finding.what
    assert "redis" not in finding.what
    assert "metadata_db_url" in finding.fix
    assert findings(tmp_path, airflow=OURS, **changes) == []


def test_a_broker_that_was_there_before(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    packages = Packages(manager="apt-get", servers={"redis-server": "7.0"})
    facts = good_facts(1, packages=packages, listeners=(listener(6379, "redis-server.service"),))
    finding = only(
        validate_hosts(cluster, probe_of(cluster, d1=facts)), "ports.server_present", "d1"
    )
    assert "broker_url" in finding.fix


def test_another_software_on_the_database_s_port(tmp_path: Path) -> None:
    docker = (listener(5432, "docker.service"),)
    assert ids(findings(tmp_path, listeners=docker, airflow=OURS)) == ["ports.taken"]


@pytest.mark.parametrize(
    ("unit", "installed", "ok"),
    [
        ("redis-server.service", True, True),
        ("redis.service", True, True),
        ("redis-server@shard.service", True, False),  # another instance than the role's
        ("redis-cache.service", True, False),
        ("redis-server.service", False, False),  # built by hand under the same name
        ("", True, False),
    ],
)
def test_only_the_distribution_s_own_server_counts_as_ours(
    tmp_path: Path, unit: str, installed: bool, ok: bool
) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    packages = Packages(manager="apt-get", servers={"redis-server": "7.0"} if installed else {})
    facts = good_facts(1, packages=packages, listeners=(listener(6379, unit),), airflow=OURS)
    found = validate_hosts(cluster, probe_of(cluster, d1=facts))
    assert ids(found) == ([] if ok else ["ports.taken"])


@pytest.mark.parametrize(
    ("unit", "ok"),
    [
        ("postgresql@15-main.service", True),
        ("postgresql.service", True),
        ("postgresql@15-billing.service", False),
        ("postgresql-exporter.service", False),
    ],
)
def test_only_the_cluster_that_the_role_manages_may_have_the_port(
    tmp_path: Path, unit: str, ok: bool
) -> None:
    packages = Packages(manager="apt-get", servers={"postgresql-15": "15.1"})
    found = findings(tmp_path, listeners=(listener(5432, unit),), packages=packages, airflow=OURS)
    assert ids(found) == ([] if ok else ["ports.taken"])


def test_packages_that_could_not_be_read_make_no_server_foreign(tmp_path: Path) -> None:
    busy = (listener(5432, "postgresql@15-main.service"),)
    assert findings(tmp_path, listeners=busy, packages=None, airflow=OURS) == []


def test_on_amazon_linux_mysql_s_own_server_is_the_cluster_s(tmp_path: Path) -> None:
    cluster = make_cluster(
        tmp_path, metadata_db_engine="mysql", mysql_repository_url="https://mysql.example.com/el9"
    )
    there: dict[str, Any] = {
        "os": AMAZON,
        "packages": Packages(manager="dnf", servers={"mysql-community-server": "8.4.3"}),
        "listeners": (listener(3306, "mysqld.service"),),
    }
    ours = good_facts(airflow=OURS, **there)
    assert validate_hosts(cluster, probe_of(cluster, h1=ours)) == []
    found = validate_hosts(cluster, probe_of(cluster, h1=good_facts(**there)))
    finding = only(found, "ports.server_present", "h1")
    assert "sudo dnf remove mysql-community-server" in finding.fix


def test_fixes_for_redis_name_the_distribution_s_own(tmp_path: Path) -> None:
    system = System(open_redis="everywhere")
    finding = only(findings(tmp_path, os=AMAZON, system=system), "ports.open_redis", "h1")
    assert "systemctl restart redis6;" in finding.fix
    assert "sudo dnf remove redis6" in finding.fix
    finding = only(findings(tmp_path, system=system), "ports.open_redis", "h1")
    assert "systemctl restart redis-server;" in finding.fix
    assert "sudo apt-get purge redis-server" in finding.fix
