"""Servers that are run elsewhere, judged by what they said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from preflight_data import SINGLE, make_cluster

from toolkit.findings import Finding, Severity
from toolkit.probe import Probe
from toolkit.probe.services import Service
from toolkit.rules import judge

DATABASE: dict[str, Any] = {"role": "metadata_db", "address": "db:5432", "user": "airflow"}
BROKER: dict[str, Any] = {"role": "broker", "address": "mq:6379", "server": "Redis"}


def findings(directory: Path, **service: Any) -> list[Finding]:
    probe = Probe({}, {}, (Service(**service),))
    found = judge(make_cluster(directory, SINGLE), probe)
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


def test_a_broker_that_throws_messages_away(tmp_path: Path) -> None:
    (finding,) = findings(tmp_path, **BROKER, version=(7, 0), policy="allkeys-lru")
    assert finding.severity is Severity.WARNING
