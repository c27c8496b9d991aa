"""Which servers on a host the roles may configure: the decisions, apart from asking."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from support.module import find_utils

find_utils()
ROLES = Path(__file__).resolve().parents[3] / "roles"
POSTGRES = runpy.run_path(str(ROLES / "postgres/library/postgres_survey.py"))
MYSQL = runpy.run_path(str(ROLES / "mysql/library/mysql_survey.py"))
REDIS = runpy.run_path(str(ROLES / "redis/library/redis_survey.py"))
STORAGE = runpy.run_path(str(ROLES / "base/library/writable_directory.py"))


def postgres(**facts: Any) -> Any:
    return POSTGRES["Server"](
        **{"version": 15, "port": 5432, "directory": "/x", "data": "/y"} | facts
    )


def test_no_server_is_to_be_installed() -> None:
    assert POSTGRES["choose"]([], 5432, False, 13) == (None, "")


def test_an_empty_server_is_taken_wherever_it_listens() -> None:
    server = postgres(port=5433)
    assert POSTGRES["choose"]([server], 5432, False, 13) == (server, "")


@pytest.mark.parametrize(
    ("facts", "adopt", "words"),
    [
        ({"version": 12}, True, "Airflow needs 13 or later"),
        ({"databases": ["shop"]}, False, "databases of others: shop"),
        ({"databases": ["shop"], "port": 5433}, True, "postgres_port: 5433"),
        ({"databases": ["shop"], "problem": "belongs to shop"}, True, "belongs to shop"),
    ],
)
def test_postgres_refused(facts: dict[str, Any], adopt: bool, words: str) -> None:
    _, refusal = POSTGRES["choose"]([postgres(**facts)], 5432, adopt, 13)
    assert words in refusal


def test_the_server_on_the_port_counts_not_the_newest() -> None:
    old, new = postgres(version=14), postgres(version=17, port=5433, databases=["shop"])
    assert POSTGRES["choose"]([new, old], 5432, False, 13) == (old, "")


def test_ours_is_taken_whatever_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/airflow-toolkit.conf").touch()
    server = postgres(directory=str(tmp_path), databases=["airflow", "shop"], version=12)
    assert POSTGRES["choose"]([server], 5432, False, 13) == (server, "")


@pytest.mark.parametrize(
    ("version", "facts", "adopt", "words"),
    [
        ("MariaDB 10.11.6", {}, True, "would remove it"),
        ("5.7.44", {}, True, "needs 8.0 or later"),
        ("8.0.36", {"denied": True}, False, "mysql_root_password"),
        ("8.0.36", {"databases": ["shop"]}, False, "mysql_adopt"),
        ("8.0.36", {"tables": ["planes"]}, True, "another application: planes"),
        ("8.0.36", {"other_password": True}, True, "another password"),
    ],
)
def test_mysql_refused(version: str, facts: dict[str, Any], adopt: bool, words: str) -> None:
    refusal = MYSQL["refusal"](
        MYSQL["Server"](version, **facts), "airflow", "airflow", adopt, [8, 0]
    )
    assert words in refusal
    assert "fix:" in refusal


@pytest.mark.parametrize("version", ["8.0.36", "8.4.3-0ubuntu0.24.04.1", "9.7.4-2"])
def test_mysql_taken(version: str) -> None:
    server = MYSQL["Server"](version, tables=["alembic_version", "dag_run"])
    assert MYSQL["refusal"](server, "airflow", "airflow", False, [8, 0]) == ""


@pytest.mark.parametrize(
    ("altered", "keyspace", "words"),
    [
        (False, "# Keyspace\r\n", ""),
        (True, "# Keyspace\r\n", "configuration of its own"),
        (False, "# Keyspace\r\ndb0:keys=3,expires=0\r\n", "data of others: db0:keys=3"),
    ],
)
def test_redis(altered: bool, keyspace: str, words: str) -> None:
    refusal = REDIS["refusal"]("/etc/redis/redis.conf", altered, keyspace)
    assert words in refusal
    assert bool(refusal) == bool(words)


def test_a_directory_that_takes_data(tmp_path: Path) -> None:
    assert STORAGE["problem"](str(tmp_path / "not/yet"), 1) == ""
    assert "MB free" in STORAGE["problem"](str(tmp_path / "not/yet"), 10**9)


def test_a_server_is_as_prepared_when_it_is_younger_than_the_settings(tmp_path: Path) -> None:
    prepared, configuration = tmp_path / "prepared.conf", tmp_path / "postgresql.conf"
    configuration.touch()
    server = postgres(directory=str(tmp_path))
    assert not server.created_after(str(prepared))
    prepared.touch()
    os.utime(configuration, (1, 1))
    assert not server.created_after(str(prepared))
    os.utime(configuration)
    assert server.created_after(str(prepared))
