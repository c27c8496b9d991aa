"""What role postgres promises: one database, for its owner, with the password."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Any

PASSWORD = Path(__file__).parents[1].joinpath("shared/password.txt").read_text()


def psql(host: Any, query: str, password: str = PASSWORD) -> Any:
    return host.run(
        f"PGPASSWORD={shlex.quote(password)} psql -h 127.0.0.1 -U airflow -qtAc {shlex.quote(query)} airflow"
    )


def test_the_owner_may_create_tables(host: Any) -> None:
    done = psql(host, "create table t (i int); drop table t; select 'made'")
    assert done.stdout.strip() == "made", done.stderr


def test_the_password_is_needed_and_kept_as_scram(host: Any) -> None:
    assert "authentication failed" in psql(host, "select 1", "wrong").stderr
    with host.sudo("postgres"):
        kept = host.check_output(
            "psql -qtAc \"select rolpassword from pg_authid where rolname = 'airflow'\""
        )
    assert kept.startswith("SCRAM-SHA-256$")


def test_it_listens_on_this_host_alone(host: Any) -> None:
    assert host.socket("tcp://127.0.0.1:5432").is_listening
    assert not host.socket("tcp://0.0.0.0:5432").is_listening


def test_it_survives_a_killed_backend(host: Any) -> None:
    with host.sudo():
        host.run("pkill -9 -f 'postgres: .*checkpointer'")
    for _ in range(50):
        if psql(host, "select 1").rc == 0:
            return
        time.sleep(0.2)
    raise AssertionError(psql(host, "select 1").stderr)


def test_it_survives_a_killed_postmaster(host: Any) -> None:
    with host.sudo():
        files = "/var/lib/postgresql/*/main/postmaster.pid /var/lib/pgsql/data/postmaster.pid"
        host.check_output(f"kill -9 $(cat {files} 2>/dev/null | head -n 1)")
    for _ in range(100):
        if psql(host, "select 1").rc == 0:
            return
        time.sleep(0.2)
    raise AssertionError(psql(host, "select 1").stderr)


def test_the_configuration_is_not_for_everybody(host: Any) -> None:
    with host.sudo():
        path = host.check_output(
            "find /etc/postgresql /var/lib/pgsql -name airflow-toolkit.conf || true"
        )
        assert host.file(path).mode == 0o640
