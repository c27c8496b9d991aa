"""Servers that are run elsewhere, by what they said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import SINGLE, make_cluster

from toolkit.checks import services, validate_hosts
from toolkit.checks.options import known
from toolkit.findings import Finding, Severity
from toolkit.hosts.external import Service
from toolkit.hosts.probe import Probe

DATABASE: dict[str, Any] = {"role": "metadata_db", "address": "db:5432", "user": "airflow"}
BROKER: dict[str, Any] = {"role": "broker", "address": "mq:6379", "server": "Redis"}


def findings(directory: Path, **service: Any) -> list[Finding]:
    probe = Probe({}, {}, (Service(**service),))
    found = validate_hosts(make_cluster(directory, SINGLE), probe)
    return [finding for finding in found if finding.id.startswith("services.")]


@pytest.mark.parametrize(
    "service",
    [
        DATABASE | {"server": "PostgreSQL", "version": (17, 2), "encoding": "UTF8"},
        DATABASE | {"server": "MySQL", "version": (8, 4, 1), "encoding": "utf8mb4"},
        BROKER | {"version": (7, 2), "policy": "noeviction"},
        BROKER | {"version": (7, 2)},
    ],
)
def test_good_servers(tmp_path: Path, service: dict[str, Any]) -> None:
    assert findings(tmp_path, **service) == []


@pytest.mark.parametrize(
    ("service", "id", "words"),
    [
        (DATABASE | {"problem": "login", "detail": "no such role"}, "login", "user airflow"),
        (DATABASE | {"problem": "silent", "detail": "timed out"}, "silent", "timed out"),
        (DATABASE | {"server": "PostgreSQL", "version": (11, 2)}, "version", "13 is the oldest"),
        (DATABASE | {"server": "MariaDB", "version": (10, 11)}, "mariadb", "not MySQL"),
        (
            DATABASE | {"server": "PostgreSQL", "version": (16, 1), "may_create": False},
            "privileges",
            "may not create tables",
        ),
        (
            DATABASE | {"server": "MySQL", "version": (8, 4), "encoding": "latin1"},
            "encoding",
            "latin1",
        ),
    ],
)
def test_bad_servers(tmp_path: Path, service: dict[str, Any], id: str, words: str) -> None:
    (finding,) = findings(tmp_path, **service)
    assert finding.id == f"services.{id}"
    assert finding.severity is Severity.ERROR
    assert words in finding.what
    assert finding.fix


def test_mariadb_by_setting(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, SINGLE, metadata_db_allow_unsupported=True)
    service = Service(**DATABASE, server="MariaDB", version=(10, 11), encoding="utf8mb4")
    found = validate_hosts(cluster, Probe({}, {}, (service,)))
    (finding,) = [finding for finding in found if finding.id.startswith("services.")]
    assert (finding.id, finding.severity) == ("services.mariadb", Severity.WARNING)


def test_a_broker_that_throws_messages_away(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, **BROKER, version=(7, 0), policy="allkeys-lru")
    assert finding.severity is Severity.WARNING


RELEASE_3, RELEASE_2 = known("3.3.2"), known("2.11.2")
assert RELEASE_3
assert RELEASE_2
MYSQL = DATABASE | {"server": "MySQL", "version": (8, 4), "encoding": "utf8mb4"}
POSTGRES = DATABASE | {"server": "PostgreSQL", "version": (17,), "encoding": "UTF8"}
RDS = "toolkit-prod.abc123.eu-central-1.rds.amazonaws.com:3306"
ELASTICACHE = "master.toolkit-prod.abc123.euc1.cache.amazonaws.com:6379"
NEW = {"schemas": (RELEASE_3.schemas[0],), "tables": 71}


@pytest.mark.parametrize(
    ("service", "id", "severity", "words"),
    [
        (MYSQL | {"options": {"explicit_defaults_for_timestamp": "OFF"}},
         "services.explicit_defaults", "error", "= ON"),
        (MYSQL | {"options": {"sql_require_primary_key": "ON"}},
         "services.primary_key", "error", "= OFF"),
        (MYSQL | {"superuser": True}, "services.too_many_privileges", "warning", "REVOKE"),
        (POSTGRES | {"superuser": True}, "services.too_many_privileges", "warning", "NOSUPERUSER"),
        (MYSQL | {"options": {"explicit_defaults_for_timestamp": "OFF"}, "address": RDS},
         "services.explicit_defaults", "error", "= ON in its DB parameter group, and reboot"),
        (BROKER | {"version": (7,), "policy": "volatile-lru", "address": ELASTICACHE},
         "services.eviction", "warning", "in its cache parameter group"),
        (POSTGRES | {"tables": 3}, "services.foreign_schema", "error", "CREATE DATABASE"),
        (POSTGRES | {"tables": 50, "schemas": (RELEASE_2.schemas[0],)},
         "services.older_schema", "error", "--allow-upgrade"),
        (POSTGRES | {"tables": 50, "schemas": ("ffffffffffff",)},
         "services.schema", "error", "airflow_version"),
        (BROKER | {"version": (7,), "password": False}, "services.no_password", "warning", "requirepass"),
        (BROKER | {"version": (7,), "persistent": False}, "services.persistence", "note", "appendonly"),
    ],
)  # fmt: skip
def test_servers_that_are_set_up_otherwise(
    tmp_path: Path, service: dict[str, Any], id: str, severity: str, words: str
) -> None:
    (finding,) = findings(tmp_path, **service)
    assert (finding.id, finding.severity.value) == (id, severity)
    assert words in finding.fix


def test_a_schema_of_this_release_needs_nothing(tmp_path: Path) -> None:
    assert findings(tmp_path, **POSTGRES | NEW) == []


def test_a_release_between_ours_and_the_data(tmp_path: Path) -> None:
    """For 3.4.0 there is no list of schemas: what it knows can only be noted."""
    service = Service(**POSTGRES | {"tables": 9, "schemas": ("ffffffffffff",)})
    cluster = make_cluster(tmp_path, SINGLE, airflow_version="3.4.0")
    (finding,) = services.schema(cluster, Probe({}, {}, (service,)))
    assert finding.severity is Severity.NOTE


def test_a_server_that_could_not_be_asked(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, **DATABASE | {"problem": "tunnel", "detail": "h1"})
    assert (finding.id, finding.severity) == ("services.tunnel", Severity.WARNING)
    assert finding.host == "h1"
    assert "db:5432 was not asked whether it takes metadata_db_url" in finding.what
