"""One host with a worker, Airflow 2.11.2; a DAG is started through its REST API with a user from the settings."""

from __future__ import annotations

import base64
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.faults.lab import until
from support.lab_cluster import Cluster

from toolkit.cluster import Cluster as Inventory

HOST = "e2etwo1"
SETTINGS: dict[str, Any] = {
    "airflow_version": "2.11.2",
    "metadata_db_password": "p/a@s:s%w$o'r\"d#?`é",
}


@pytest.fixture(scope="module")
def provisioned(make_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = make_cluster("e2etwo")
    user = {"username": "kim", "password": "-a $tr`an\"ge' p%w\\d", "email": "kim@example.com",
            "role": "Op"}  # fmt: skip
    SETTINGS["airflow_users"] = [user]
    cluster.set(yaml.safe_dump(SETTINGS))
    hosts = cluster.directory / "hosts.yml"
    groups = yaml.safe_load(hosts.read_text())
    groups |= {name: {"hosts": {HOST: None}} for name in ("broker", "worker")}
    hosts.write_text(yaml.safe_dump(groups))
    cluster.toolkit("provision")
    return cluster


def test_second_provision_changes_nothing(provisioned: Cluster) -> None:
    assert provisioned.json("provision", "--no-verify")["changes"] == []


def test_components_of_the_line(provisioned: Cluster) -> None:
    rows = provisioned.json("status")["rows"]
    assert {row["component"] for row in rows} == {"webserver", "scheduler", "triggerer", "worker"}


def test_a_user_starts_a_dag_through_the_rest_api(provisioned: Cluster) -> None:
    url = provisioned.json("provision", "--check")["url"]
    login = base64.b64encode(b"kim:-a $tr`an\"ge' p%w\\d").decode()

    def call(path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            f"{url}/api/v1/dags/toolkit_canary/dagRuns{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Basic {login}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: dict[str, Any] = json.loads(answer.read())
            return found

    run = call("", {})["dag_run_id"]
    deadline = time.monotonic() + 60
    while call(f"/{run}")["state"] not in {"success", "failed"}:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert call(f"/{run}")["state"] == "success"


def test_a_path_and_a_low_port(provisioned: Cluster) -> None:
    """Airflow 2 serves everything below the path, the REST API and health included."""
    address = Inventory.load(provisioned.directory).web.base_address
    url = f"http://{address}/airflow"
    provisioned.set(yaml.safe_dump({**SETTINGS, "airflow_base_url": url, "airflow_web_port": 80}))
    found = provisioned.json("provision")
    assert found["url"] == url
    assert [one["ok"] for one in found["checks"] if one["id"] == "web.sign_in"] == [True]


def test_a_file_of_dags_that_cannot_be_imported_is_a_warning(provisioned: Cluster) -> None:
    path = "/var/lib/airflow/dags/current/broken.py"
    provisioned.ssh(
        HOST, f"printf 'from airflow import DAG\\nx = (\\n' > {path}; chmod 0644 {path}"
    )
    # A scheduler that begins lists the folder at once, else every five minutes.
    provisioned.ssh(HOST, "systemctl restart airflow-scheduler")
    deadline = time.monotonic() + 120
    found: dict[str, dict[str, str]] = {}
    while "database.import_error" not in found:
        assert time.monotonic() < deadline
        found = {one["id"]: one for one in provisioned.json("check")["findings"]}
    assert found["database.import_error"]["severity"] == "warning"
    assert f"{path}:2 cannot be imported: SyntaxError" in found["database.import_error"]["what"]
    provisioned.ssh(HOST, f"rm {path}")


PAIR = """
from datetime import datetime
from airflow.decorators import dag, task
from include.which import NAME

for word in ("first", "second"):
    @dag(dag_id=f"{NAME}_{word}", schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False)
    def pair():
        @task
        def one():
            return NAME
        one()
    pair()
"""


def database(cluster: Cluster, query: str) -> list[str]:
    return cluster.ssh(HOST, f'runuser -u postgres -- psql -Atc "{query}" airflow').split()


def test_dags_are_deployed_and_rolled_back(provisioned: Cluster, tmp_path: Path) -> None:
    """Airflow 2 has no bundles: the folder that it reads becomes another one."""
    (tmp_path / "dags").mkdir()
    (tmp_path / "include").mkdir()
    (tmp_path / "dags/pair.py").write_text(PAIR)
    (tmp_path / "include/which.py").write_text('NAME = "red"\n')

    def active() -> set[str]:
        query = "select dag_id from dag where is_active and dag_id != 'toolkit_canary'"
        return set(database(provisioned, query))

    first = provisioned.json("deploy", str(tmp_path))
    assert (first["dags"], active()) == (2, {"red_first", "red_second"})
    (tmp_path / "include/which.py").write_text('NAME = "blue"\n')
    (refused,) = provisioned.json("deploy", str(tmp_path), expect=2)["findings"]
    assert refused["id"] == "dags.removed"
    provisioned.json("deploy", str(tmp_path), "--allow-removal")
    assert active() == {"blue_first", "blue_second"}
    (tmp_path / "dags/broken.py").write_text("from airflow import DAG\nx = (\n")
    (refused,) = provisioned.json("deploy", str(tmp_path), expect=2)["findings"]
    assert "broken.py:2: SyntaxError" in refused["what"]
    assert provisioned.json("rollback")["release"] == first["release"]
    assert active() == {"red_first", "red_second"}
    provisioned.toolkit("airflow", "--", "dags", "trigger", "red_first")
    deadline = time.monotonic() + 60
    while database(provisioned, "select state from dag_run where dag_id = 'red_first'") != [
        "success"
    ]:
        assert time.monotonic() < deadline
        time.sleep(1)
    said = provisioned.toolkit("logs", "--task", "red_first", "one", "--grep", "returned value")
    assert " INFO    Done. Returned value was: red" in said.stdout
    assert "try 1 of 1, success on e2etwo1" in said.stderr
    refused_client = provisioned.toolkit("airflowctl", "--", "dags", "list", expect=2).stderr
    assert "airflowctl needs Airflow 3" in refused_client and "toolkit airflow -i" in refused_client
    assert provisioned.json("provision", "--no-verify")["changes"] == []


def test_a_worker_is_drained_and_restarted(provisioned: Cluster) -> None:
    assert (
        "the last consumer of queue default" in provisioned.toolkit("drain", HOST, expect=2).stderr
    )
    provisioned.toolkit("airflow", "--", "dags", "trigger", "red_second")
    assert provisioned.json("drain", HOST, "--yes")["ok"]
    assert provisioned.json("undrain", HOST)["ok"]
    # As after a provision with another setting, while its tasks outlived the drain: it has none now.
    began = "systemctl show -p ActiveEnterTimestampMonotonic --value airflow-worker"
    before = provisioned.ssh(HOST, f"{began}; touch /etc/airflow/airflow.cfg")
    assert provisioned.json("undrain", HOST)["ok"]
    assert provisioned.ssh(HOST, began) != before
    assert provisioned.json("restart", "--rolling", "worker", "triggerer", "--yes")["ok"]
    assert provisioned.json("maintenance", "on")["dags"] >= 2
    assert provisioned.json("maintenance", "off")["dags"] >= 2
    assert provisioned.json("verify")["ok"]


PATIENT = """
import time
from datetime import datetime
from airflow.decorators import dag, task

@dag(schedule=None, start_date=datetime(2026, 1, 1), is_paused_upon_creation=False)
def patient():
    @task(retries=0)
    def one():
        time.sleep(10)
    one()
patient()
"""


def test_a_task_outlives_a_database_that_is_away(provisioned: Cluster, tmp_path: Path) -> None:
    """Tasks of Airflow 2 talk to it themselves; ended without it, this one would have failed."""
    (tmp_path / "patient.py").write_text(PATIENT)
    provisioned.json("deploy", str(tmp_path), "--allow-removal")
    provisioned.toolkit("airflow", "--", "dags", "trigger", "patient")
    state = "select state from task_instance where dag_id = 'patient'"
    assert until(lambda: database(provisioned, state) == ["running"], 60)
    named = "systemctl list-units --plain --no-legend 'postgresql@*' | cut -d' ' -f1"
    away = "systemctl stop $unit; sleep 15; systemctl start $unit"
    provisioned.ssh(HOST, f"unit=$({named}); {away}")
    assert until(lambda: database(provisioned, state)[0] in ("success", "failed"), 90)
    assert database(provisioned, state) == ["success"]


def test_what_is_no_database_that_is_away_is_an_error_at_once(provisioned: Cluster) -> None:
    program = """
from airflow import settings
from airflow_toolkit_database import connect_args
from sqlalchemy import create_engine
from sqlalchemy.engine import make_url
url = make_url(settings.SQL_ALCHEMY_CONN)
assert settings.engine.connect()
for wrong in (url.set(password="no"), url.set(database="none"), url.set(port=9)):
    settings.SQL_ALCHEMY_CONN = wrong if wrong.port != 9 else url  # the last is of another server
    try:
        create_engine(wrong, connect_args=connect_args).connect()
    except Exception as error:
        print("RAISED", type(error).__name__)
"""
    given = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS=airflow_toolkit_database.connect_args"
    command = f"set -a; . /etc/airflow/airflow.env; {given}; /opt/airflow/current/bin/python -"
    began = time.monotonic()
    said = provisioned.ssh(
        HOST, f"runuser -u airflow -- bash -c '{command}' <<'END'\n{program}\nEND"
    )
    assert said.count("RAISED OperationalError") == 3
    assert time.monotonic() - began < 40
