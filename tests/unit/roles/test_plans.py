"""The planner that roles and toolkit share: what Airflow becomes on a host, and who reaches whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from airflow_plan import (
    base_url,
    broker_database,
    broker_url,
    components,
    configuration,
    database_url,
    driver,
    engine,
    engines,
    executor,
    lock_hash,
    lock_plan,
    secrets,
    shipped_lock,
    sizes,
    switches,
    unit_commands,
    units,
    wanted_packages,
)
from cluster_plan import (
    address,
    behind,
    clients,
    members,
    server,
    server_buffer_mb,
    server_connections,
)

from toolkit.cluster import lockfile
from toolkit.cluster.tables import release_lines
from toolkit.content import content_dir

ROLES = content_dir() / "roles"
LOCKS = ROLES / "airflow/files/locks"
EXTRAS = ["amazon", "celery", "fab", "postgres", "redis"]
SETTINGS: dict[str, Any] = {
    "base_url": "http://a", "executor": "LocalExecutor", "load_examples": False, "parallelism": 4,
    "remote_log_folder": "", "scheduler_health_port": 1, "timezone": "utc", "triggerer_log_port": 2,
    "web_address": "127.0.0.1", "web_host": "0.0.0.0", "web_port": 8080, "web_workers": 1,
    "worker_concurrency": 5, "worker_log_port": 3,
}  # fmt: skip


def line(major: str) -> Any:
    return release_lines()[major]


def test_a_worker_host_means_celery() -> None:
    assert executor({"scheduler": ["h1"]}) == "LocalExecutor"
    assert executor({"worker": []}) == "LocalExecutor"
    assert executor({"worker": ["h1"]}) == "CeleryExecutor"


def test_components_come_from_groups() -> None:
    off = dict.fromkeys(switches(line("3")), False)
    assert components(line("3"), ["scheduler"], [], {}) == [
        "scheduler", "dag-processor", "triggerer",
    ]  # fmt: skip
    assert components(line("2"), ["webserver", "worker"], [], {}) == ["webserver", "worker"]
    assert components(line("3"), ["scheduler"], [], off) == ["scheduler", "dag-processor"]
    assert units(["api-server"]) == ["airflow-api-server.service"]


def test_units_are_started_or_started_again() -> None:
    assert unit_commands({"remove": [], "start": ["a"], "restart": ["b"]}) == [
        ["daemon-reload"],
        ["enable", "--now", "--no-block", "a"],
        ["enable", "b"],
        ["restart", "--no-block", "b"],
    ]
    assert unit_commands({"remove": ["x"], "start": [], "restart": []}) == [["daemon-reload"]]
    assert unit_commands({"remove": [], "start": [], "restart": []}) == []


def test_components_that_are_named_win() -> None:
    assert components(line("3"), ["scheduler"], ["triggerer"], {}) == ["triggerer"]


def test_a_worker_of_airflow_3_gets_no_database() -> None:
    names = secrets(line("3"), ["worker"], "CeleryExecutor")
    assert "AIRFLOW__CELERY__BROKER_URL" in names
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in names


def test_without_workers_nobody_knows_the_broker() -> None:
    assert not [n for n in secrets(line("3"), ["scheduler"], "LocalExecutor") if "CELERY" in n]


@pytest.mark.parametrize(
    ("major", "url", "chosen", "extra", "requirements"),
    [
        ("3", "", "", [], []),
        ("3", "mysql+mysqldb://u@h/n", "mysqlclient", ["mysql"], []),
        ("3", "mysql://u@h/n", "pymysql", ["mysql"], ["pymysql", "aiomysql"]),
        ("2", "mysql://u@h/n", "pymysql", [], ["pymysql", "aiomysql"]),
        ("3", "oracle://u@h/n", "", [], []),
    ],
)
def test_the_driver_of_the_database_comes_along(
    major: str, url: str, chosen: str, extra: list[str], requirements: list[str]
) -> None:
    used = driver(engine(engines(str(ROLES)), url, "postgres"), chosen)
    assert wanted_packages(["fab"], [], used, major, False) == (["fab", *extra], requirements)


def test_a_lock_is_chosen_by_what_it_was_resolved_for() -> None:
    def chosen(version: str, extras: list[str], requirements: tuple[str, ...] = ()) -> str:
        return Path(shipped_lock(str(LOCKS), version, extras, requirements)).name

    assert chosen("3.3.2", EXTRAS) == "airflow-3.3.2.lock"
    assert chosen("3.3.2", [*EXTRAS, "MySQL"]) == "airflow-3.3.2-mysql.lock"
    assert chosen("3.3.2", EXTRAS, ("pandas",)) == ""
    assert chosen("3.3.1", EXTRAS) == ""


def test_what_a_lock_means_for_a_host() -> None:
    path = LOCKS / "airflow-3.3.2-mysql.lock"
    found = lock_plan(
        path.read_text(), line("3"), {"mysqlclient": ["gcc"], "gssapi": ["krb5"], "a": ["gcc"]}
    )
    assert found["build_packages"] == ["gcc"]
    assert found["pythons"] == ["3.14", "3.13", "3.12", "3.11", "3.10"]
    assert found["hash"] == lock_hash(path.read_bytes()) == lockfile.lock_hash(path)
    assert found["remote_logs"]


def test_passwords_are_quoted_in_urls() -> None:
    password = "p@ss/w:rd%?#"
    url = urlsplit(database_url("h", 1, "u", password, "n", "postgresql+psycopg2"))
    assert (url.scheme, unquote(url.password or "")) == ("postgresql+psycopg2", password)
    assert unquote(urlsplit(broker_url("h", 1, password)).password or "") == password


def test_celery_is_told_how_to_verify_a_broker_with_tls() -> None:
    assert broker_database("redis://h:1", 0) == "redis://h:1/0"
    assert broker_database("rediss://h:1", 1) == "rediss://h:1/1?ssl_cert_reqs=CERT_REQUIRED"


def test_parallelism_is_limited_by_workers_under_celery() -> None:
    parts = ["scheduler", "dag-processor"]
    local = sizes(2000, 2, line("3"), parts, "LocalExecutor")
    celery = sizes(2000, 2, line("3"), parts, "CeleryExecutor")
    assert (local["parallelism"], celery["parallelism"]) == (local["worker_concurrency"], 32)


@pytest.mark.parametrize(("major", "section"), [("2", "webserver"), ("3", "api")])
def test_the_web_server_is_configured_by_line(major: str, section: str) -> None:
    found = configuration(SETTINGS, major)
    assert found[section]["base_url"] == "http://a"
    assert "celery" not in found
    assert "remote_logging" not in found["logging"]
    assert found["core"]["parallelism"] == 4


def test_celery_and_remote_logs_add_what_they_need() -> None:
    chosen = SETTINGS | {"executor": "CeleryExecutor", "remote_log_folder": "s3://b"}
    found = configuration(chosen, "3")
    assert found["celery"] == {"worker_concurrency": 5}
    assert found["logging"]["remote_base_log_folder"] == "s3://b"
    assert found["logging"]["base_log_folder"] == "/var/log/airflow"


def test_base_url_is_the_one_that_is_set() -> None:
    assert base_url("", "h", 80) == "http://h:80"
    assert base_url("https://air", "h", 80) == "https://air"


HOSTS = {"a": {"base_address": "10.0.0.1", "ansible_host": "b.example"}, "b": {"ansible_host": "c"}}
GROUPS = {"scheduler": ["a", "b"], "worker": ["b", "c"]}


def test_an_address_is_where_others_reach_a_host() -> None:
    assert [address(name, HOSTS.get(name, {})) for name in "abc"] == ["10.0.0.1", "c", "c"]


def test_clients_are_the_other_hosts_once_each() -> None:
    variables = HOSTS | {"c": {}}
    assert clients(GROUPS, ["scheduler", "worker"], variables, "a") == ["c", "c"]
    assert clients(GROUPS, ["none"], variables, "a") == []


def test_members_of_groups_are_named_once() -> None:
    assert members(GROUPS, ["scheduler", "worker", "none"]) == ["a", "b", "c"]


def test_a_host_that_failed_is_behind() -> None:
    passed: dict[str, dict[str, Any]] = {"a": {"_base_gates": ["detected", "prepared"]}, "b": {}}
    assert behind(passed, "prepared", ["a", "b"]) == ["b"]
    assert behind(passed, "prepared", ["a"]) == []


def test_a_server_on_the_host_itself_is_local() -> None:
    assert server(GROUPS, "scheduler", HOSTS, "a")["address"] == "127.0.0.1"
    assert server(GROUPS, "scheduler", HOSTS, "a")["public_address"] == "10.0.0.1"
    assert server(GROUPS, "scheduler", HOSTS, "b")["address"] == "10.0.0.1"
    assert server(GROUPS, "metadata_db", HOSTS, "b")["host"] == "b"


def test_connections_come_in_steps() -> None:
    assert server_connections({}) == 300
    assert server_connections({"scheduler": ["a"], "worker": list("bcdefghi")}) == 600


def test_buffers_have_bounds() -> None:
    assert [server_buffer_mb(memory) for memory in (512, 8000, 64000)] == [128, 1000, 2048]
