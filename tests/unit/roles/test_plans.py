"""The planner that roles and toolkit share: what Airflow becomes on a host, and who reaches whom."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from airflow_plan import (
    broker_database,
    broker_url,
    components,
    configuration,
    dags_host,
    database_url,
    driver,
    engine,
    engines,
    environment,
    executor,
    ignored_dags,
    lock_hash,
    lock_plan,
    python_path,
    secrets,
    shipped_lock,
    sizes,
    switches,
    task_environment,
    unit_commands,
    units,
    wanted_packages,
    worker_slots,
)
from cluster_plan import (
    address,
    behind,
    clients,
    direct,
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
    "executor": "LocalExecutor", "load_examples": False, "parallelism": 4,
    "remote_log_folder": "", "scheduler_health_port": 1, "timezone": "utc", "triggerer_log_port": 2,
    "web": {"host": "::", "port": 80, "url": "http://a", "execution": "http://b/execution/", "proxied": True},
    "web_workers": 1,
    "worker_concurrency": 5, "worker_log_port": 3,
}  # fmt: skip


def line(major: str) -> Any:
    return release_lines()[major]


def test_tasks_of_airflow_2_wait_for_their_database() -> None:
    assert task_environment(line("3"), {}, {}) == []
    (ours,) = task_environment(line("2"), {"core": {"parallelism": 4}}, {"Environment": ["A=b"]})
    assert ours.startswith("AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS=")
    for section in ("database", "core"):  # the option's name now, and before Airflow 2.3
        theirs = {section: {"sql_alchemy_connect_args": "airflow_local_settings.ours"}}
        assert task_environment(line("2"), theirs, {}) == []
    for options in ({"EnvironmentFile": "/etc/x"}, {"Environment": ["A=b", "PYTHONPATH=/x"]}):
        assert task_environment(line("2"), {}, options) == []


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
        ("2", "mysql://u@h/n", "pymysql", ["virtualenv"], ["gunicorn<25.1", "pymysql", "aiomysql"]),
        ("3", "oracle://u@h/n", "", [], []),
    ],
)
def test_the_driver_and_what_the_line_needs_come_along(
    major: str, url: str, chosen: str, extra: list[str], requirements: list[str]
) -> None:
    used = driver(engine(engines(str(ROLES)), url, "postgres"), chosen)
    found = wanted_packages(["fab"], [], used, line(major), major, False)
    assert found == (["fab", *extra], requirements)


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
    celery = [sizes(2000, 2, line("3"), parts, "CeleryExecutor", slots) for slots in (0, 12)]
    assert local["parallelism"] == local["worker_concurrency"]
    assert [one["parallelism"] for one in celery] == [32, 12]


def test_the_slots_of_all_workers_are_known_when_each_is() -> None:
    facts = {"memtotal_mb": 8000, "processor_vcpus": 2}
    derived = {"group_names": ["worker"], "ansible_facts": facts}
    both = {"group_names": ["worker", "scheduler"], "ansible_facts": facts}
    one = worker_slots(["a"], {"a": derived}, line("3"))
    assert one == sizes(8000, 2, line("3"), ["worker"], "CeleryExecutor")["worker_concurrency"]
    assert worker_slots(["a", "b"], {"a": derived, "b": {"airflow_worker_concurrency": 3}}, line("3")) == one + 3  # fmt: skip
    assert worker_slots(["a"], {"a": both | {"ansible_facts": {"memtotal_mb": 1900, "processor_vcpus": 2}}}, line("3")) < one  # fmt: skip
    assert (
        worker_slots(["a", "b"], {"a": derived, "b": {"group_names": ["worker"]}}, line("3")) == 0
    )
    assert worker_slots([], {}, line("3")) == 0


def test_a_task_waits_longer_for_the_api_than_a_minute_and_no_longer_than_its_heartbeat_counts() -> (
    None
):
    found = configuration(SETTINGS | {"executor": "CeleryExecutor"}, "3")
    chosen, scheduler = found["workers"], found["scheduler"]
    # wait_random_exponential of tenacity: from the least to 1, 2, 4... s or the most
    waits = [(min(chosen["execution_api_retry_wait_min"], high), max(chosen["execution_api_retry_wait_min"], high))
             for attempt in range(chosen["execution_api_retries"] - 1)
             for high in [min(chosen["execution_api_retry_wait_max"], 2**attempt)]]  # fmt: skip
    least, most = (sum(ends) for ends in zip(*waits, strict=True))
    assert (least, most) == (85.5, 104)
    heartbeat = 5 + 60 + 10 + chosen["execution_api_retry_wait_max"]
    assert heartbeat <= scheduler["task_instance_heartbeat_timeout"] < least
    assert scheduler["task_queued_timeout"] + scheduler["task_queued_timeout_check_interval"] <= 120
    # The message's token is valid until the scheduler sends another one.
    assert scheduler["task_queued_timeout_check_interval"] < found["api_auth"]["jwt_leeway"]


@pytest.mark.parametrize(("major", "section"), [("2", "webserver"), ("3", "api")])
def test_the_web_server_is_configured_by_line(major: str, section: str) -> None:
    found = configuration(SETTINGS, major)
    assert found[section]["base_url"] == "http://a"
    # gunicorn wants brackets, uvicorn refuses them.
    assert {"2": "[::]", "3": "::"}[major] in found[section].values()
    assert found[{"2": "webserver", "3": "fab"}[major]]["enable_proxy_fix"] is True
    assert "celery" not in found
    assert "remote_logging" not in found["logging"]
    assert found["core"]["parallelism"] == 4


def test_celery_and_remote_logs_add_what_they_need() -> None:
    chosen = SETTINGS | {"executor": "CeleryExecutor", "remote_log_folder": "s3://b"}
    found = configuration(chosen, "3")
    assert found["celery"] == {"worker_concurrency": 5}
    assert found["logging"]["remote_base_log_folder"] == "s3://b"
    assert found["logging"]["base_log_folder"] == "/var/log/airflow"


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


PROXIED: dict[str, Any] = {
    "db": {},
    "web": {"base_address": "10.0.0.2", "ansible_facts": {"nodename": "Web-1", "fqdn": "web-1.prod.example"}},
    "w_1": {"ansible_host": "10.0.0.3", "ansible_facts": {"nodename": "w1", "fqdn": "localhost"}},
    "w2": {"base_address": "fd00::4"},
}  # fmt: skip
OWN = ["127.0.0.1", "::1", "localhost", "169.254.169.254"]


def test_a_worker_asks_itself_and_the_web_server_without_a_proxy() -> None:
    groups = {
        "metadata_db": ["db"],
        "webserver": ["web"],
        "scheduler": ["web"],
        "worker": ["w_1", "w2"],
    }
    assert direct(groups, PROXIED, "w2") == [
        *OWN, "fd00::4", "w2", "10.0.0.2", "web", "Web-1", "web-1.prod.example",
    ]  # fmt: skip


def test_a_web_server_asks_every_host_for_its_logs_without_a_proxy() -> None:
    groups = {
        "metadata_db": ["db"],
        "webserver": ["web"],
        "scheduler": ["web"],
        "worker": ["w_1", "w2"],
    }
    assert direct(groups, PROXIED, "web") == [
        *OWN, "10.0.0.2", "web", "Web-1", "web-1.prod.example", "10.0.0.3", "w_1", "w1", "fd00::4", "w2",
    ]  # fmt: skip


def test_a_host_alone_asks_itself_without_a_proxy() -> None:
    assert direct({}, {"h": {}}, "h") == [*OWN, "h"]


@pytest.mark.parametrize(("chosen", "no_proxy"), [
    ({"HTTP_PROXY": "http://p:1"}, "a,b"),
    ({"http_proxy": "http://p:1", "NO_PROXY": ".corp"}, ".corp,a,b"),
    ({"https_proxy": "http://p:1", "no_proxy": " b , .corp,"}, "b,.corp,a"),
    ({"ALL_PROXY": "socks5://p:1", "NO_PROXY": "x", "no_proxy": "y"}, "x,y,a,b"),
    ({"Http_Proxy": "http://p:1", "NO_PROXY": "*"}, "*,a,b"),
])  # fmt: skip
def test_the_cluster_s_own_hosts_are_added_to_what_goes_past_a_proxy(
    chosen: dict[str, str], no_proxy: str
) -> None:
    assert environment(chosen, ["a", "b"]) == {**chosen, "NO_PROXY": no_proxy, "no_proxy": no_proxy}


@pytest.mark.parametrize(
    "chosen", [{}, {"X": 1}, {"NO_PROXY": ".corp"}, {"MY_HTTP_PROXY": "http://p"}]
)
def test_without_a_proxy_nothing_is_added(chosen: dict[str, Any]) -> None:
    assert environment(chosen, ["a"]) == chosen


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


@pytest.mark.parametrize(
    "path", ["releases", "releases/r1/dags/a.py", "release", "release/dags/a.py"]
)
def test_airflow_passes_over_releases_in_either_syntax(path: str) -> None:
    import re

    import pathspec

    for major in "23":
        lines = ignored_dags(major, deployed=False)
        folder = path if path.endswith(".py") else f"{path}/"
        assert pathspec.PathSpec.from_lines("gitignore", lines).match_file(folder)
        assert any(re.search(line, path) for line in lines)


@pytest.mark.parametrize(
    "path", ["current/releases/a.py", "current/team/release/a.py", "toolkit/a.py", "releases.py"]
)
def test_folders_of_these_names_among_the_dags_are_read(path: str) -> None:
    import re

    import pathspec

    lines = ignored_dags("2", deployed=True)
    assert not pathspec.PathSpec.from_lines("gitignore", lines).match_file(path)
    assert not any(re.search(line, path) for line in lines)


def test_airflow_3_passes_over_copies_once_dags_are_deployed() -> None:
    assert "^current(/|$)" in ignored_dags("3", deployed=True)
    # Airflow 2 has no bundle for what is deployed.
    assert ignored_dags("2", deployed=True) == ignored_dags("2", deployed=False)


def test_python_finds_ours_beside_what_the_user_names() -> None:
    ours = python_path({})
    assert ours.startswith("/var/lib/airflow/dags/current:/var/lib/airflow/dags/release:")
    assert python_path({"PYTHONPATH": "/mine"}) == f"/mine:{ours}"
    assert environment({"PYTHONPATH": "/mine", "A": "b"}, []) == {"A": "b"}


def test_a_host_that_joins_takes_the_dags_of_one_that_has_them() -> None:
    groups = {"scheduler": ["s1", "s2"], "worker": ["w1", "w2"]}
    has, has_not = (
        {"_airflow_here": {"stdout": f"current x\ndags {link}"}}
        for link in ("release/dags", "releases/none")
    )
    everyone = ["s1", "s2", "w1", "w2"]
    hostvars = {"s1": has_not, "s2": has, "w1": has, "w2": {}}
    assert dags_host(groups, hostvars, "w2", everyone) == "s2"
    assert dags_host(groups, dict.fromkeys(everyone, has_not), "w2", everyone) == ""
    # With --limit nobody knows: the first scheduler host is asked.
    assert dags_host(groups, {name: {} for name in everyone}, "w2", ["w2"]) == "s1"
    assert dags_host({}, {}, "h", ["h"]) == ""
