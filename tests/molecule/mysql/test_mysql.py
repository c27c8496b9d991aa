"""What role mysql promises: one schema, one user with rights on it and nothing else."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

PASSWORD = Path(__file__).parents[1].joinpath("shared/password.txt").read_text()


def mysql(host: Any, query: str, password: str = PASSWORD) -> Any:
    return host.run(
        f"MYSQL_PWD={shlex.quote(password)} mysql -h 127.0.0.1 -u airflow -NBe {shlex.quote(query)} airflow"
    )


def test_the_user_may_create_tables(host: Any) -> None:
    done = mysql(host, "create table t (i int); drop table t; select 'made'")
    assert done.stdout.strip() == "made", done.stderr


def test_the_password_is_needed(host: Any) -> None:
    assert "Access denied" in mysql(host, "select 1", "wrong").stderr


def test_other_schemas_are_out_of_reach(host: Any) -> None:
    assert "denied" in mysql(host, "create database other").stderr
    assert "denied" in mysql(host, "select * from mysql.user").stderr


def test_text_of_any_script_fits(host: Any) -> None:
    query = "select @@character_set_database, @@collation_database"
    assert mysql(host, query).stdout.split() == ["utf8mb4", "utf8mb4_unicode_ci"]


def test_it_survives_a_kill(host: Any) -> None:
    with host.sudo():
        host.run("systemctl kill --signal=KILL mysql")
    for _ in range(100):
        if mysql(host, "select 1").rc == 0:
            return
        time.sleep(0.3)
    raise AssertionError(mysql(host, "select 1").stderr)


def test_systemd_never_gives_it_up(host: Any) -> None:
    assert host.check_output("systemctl show -p StartLimitIntervalUSec --value mysql") == "0"
