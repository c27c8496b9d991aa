"""Four hosts: database and broker, scheduler and web server, two workers; CeleryExecutor."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
import yaml
from support.lab_cluster import assert_no_secret
from support.saved_clusters import Provisioned, wait_for_heartbeats

DATA, CONTROL, *WORKERS = [f"e2efour{number}" for number in range(1, 5)]


def test_provision_ends_with_a_dag_that_ran(four: Provisioned) -> None:
    assert "the canary DAG ran" in four.first_stdout
    assert_no_secret(four, four.first_stdout, four.first_stderr)


def test_second_provision_changes_nothing(four: Provisioned) -> None:
    assert four.json("provision", "--no-verify")["changes"] == []


def test_canary_ran_on_each_worker(four: Provisioned) -> None:
    checks = four.json("verify")["checks"]
    ran = {check["host"] for check in checks if check["name"] == "canary DAG" and check["ok"]}
    assert ran == set(WORKERS)
    assert {check["host"] for check in checks if check["name"] == "queues"} == set(WORKERS)


def test_mapped_tasks_run_on_both_workers(four: Provisioned) -> None:
    dag = base64.b64encode((Path(__file__).parent / "dags/mapped.py").read_bytes()).decode()
    for host in (CONTROL, *WORKERS):
        four.ssh(host, f"echo {dag} | base64 -d > /var/lib/airflow/dags/current/mapped.py")
    four.reserialize(CONTROL)
    four.toolkit("airflow", "--", "dags", "trigger", "mapped")

    def database(query: str) -> list[str]:
        said = four.ssh(DATA, f'runuser -u postgres -- psql -Atc "{query}" airflow')
        return said.split()

    deadline = time.monotonic() + 120
    while database("select state from dag_run where dag_id = 'mapped'") != ["success"]:
        assert time.monotonic() < deadline
        time.sleep(1)
    hosts = database("select distinct hostname from task_instance where dag_id = 'mapped'")
    assert set(hosts) == set(WORKERS)
    assert database("select count(*) from task_instance where dag_id = 'mapped'") == ["10"]


def test_a_worker_has_only_the_secrets_it_needs(four: Provisioned) -> None:
    names = four.ssh(WORKERS[0], "grep -o '^AIRFLOW__[A-Z_]*' /etc/airflow/airflow.env").split()
    assert sorted(names) == [
        "AIRFLOW__API__SECRET_KEY", "AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND",
    ]  # fmt: skip


def test_redis_wants_a_password_and_is_bound_where_needed(four: Provisioned) -> None:
    said = four.ssh(DATA, "redis-cli ping; ss -Hltn 'sport = :6379' | awk '{print $4}'")
    assert "NOAUTH" in said
    assert "0.0.0.0:6379" not in said
    assert "*:6379" not in said


@pytest.mark.parametrize("gone", ["of every group", "of the inventory"])
def test_a_host_that_left_is_reported_with_what_is_still_there(
    four: Provisioned, gone: str
) -> None:
    path, left = four.directory / "hosts.yml", WORKERS[1]
    text = path.read_text()
    groups = yaml.safe_load(text)
    del groups["worker"]["hosts"][left]
    if gone == "of the inventory":
        del groups["all"]["hosts"][left]
    path.write_text(yaml.safe_dump(groups))
    try:
        found = four.json("check")["findings"] + four.json("status")["findings"]
    finally:
        path.write_text(text)
    reported = [one for one in found if one["id"] == "ownership.left"]
    assert [one["host"] for one in reported] == [left, left]
    for words in (
        "was in worker",
        "airflow-worker.service runs",
        "secrets in /etc/airflow/airflow.env",
    ):
        assert words in reported[0]["what"]
    assert not [one for one in four.json("check")["findings"] if one["id"] == "ownership.left"]


def test_status_is_not_green_without_the_broker(four: Provisioned) -> None:
    four.ssh(DATA, "systemctl stop redis-server")
    found = four.json("status", expect=1)["findings"]
    four.ssh(DATA, "systemctl start redis-server")
    (broker,) = [one for one in found if one["id"] == "alive.broker"]
    assert "systemctl status 'redis*'" in broker["fix"]


def test_status_is_not_green_while_the_web_server_hangs(four: Provisioned) -> None:
    four.ssh(CONTROL, "systemctl kill --signal=STOP airflow-api-server")
    found = four.json("status", expect=1)["findings"]
    four.ssh(CONTROL, "systemctl kill --signal=CONT airflow-api-server")
    assert [one["id"] for one in found] == ["alive.silent"]


def test_servers_come_back_by_themselves(four: Provisioned) -> None:
    four.ssh(DATA, "kill -9 $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)")
    # Redis ends when it cannot have its address, longer than a start limit lasts.
    late = (
        "address=$(ip -4 -o addr show eth0 | awk '{print $4}'); route=$(ip route show default); "
        "ip addr del $address dev eth0; systemctl restart --no-block redis-server; sleep 15; "
        "ip addr add $address dev eth0; ip route add $route"
    )
    four.ssh(
        DATA,
        f"echo {base64.b64encode(late.encode()).decode()} | base64 -d > /root/late; systemd-run -q sh /root/late",
    )
    assert not four.json("status", expect=1)["ok"]
    wait_for_heartbeats(four)
    started = four.ssh(
        DATA, "systemctl show -p NRestarts --value redis-server 'postgresql@15-main'"
    )
    assert all(int(count) > 0 for count in started.split())


@pytest.mark.scenario
def test_an_unreachable_host_is_a_row(four: Provisioned) -> None:
    four.podman("kill", WORKERS[1])
    rows = four.json("status", expect=1)["rows"]
    assert {row["host"]: row["state"] for row in rows}[WORKERS[1]] == "unreachable"


@pytest.mark.scenario
def test_status_of_the_others_by_limit(four: Provisioned) -> None:
    assert four.json("status", "--limit", f"all:!{WORKERS[1]}")["ok"]
