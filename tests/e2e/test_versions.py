"""From 2.11.2 to 3.3.2 and back: nothing happens unasked, and nothing that the database holds is lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab_cluster import REPOSITORY, TOOLKIT, Cluster, assert_no_secret

from toolkit.cluster import Cluster as Inventory
from toolkit.cluster import vault
from toolkit.cluster.vault import GENERATED

pytestmark = pytest.mark.scenario
HOST = "e2eversions1"
FOLDER = "/var/lib/airflow/dags/releases/mine"
BACKUPS = "/var/backups/airflow-toolkit"
DAGS = f"""set -e
mkdir -p {FOLDER}
cat > {FOLDER}/nightly.py <<'X'
from datetime import datetime

from airflow import DAG
from airflow.models import Variable

with DAG("nightly", start_date=datetime(2024, 1, 1),
         schedule_interval=Variable.get("schedule")):
    pass
X
printf 'from airflow import DAG\\ndef broken(:\\n' > {FOLDER}/broken.py
ln -sfn {FOLDER} /var/lib/airflow/dags/current
airflow variables set schedule @daily >/dev/null
airflow connections add warehouse --conn-type postgres --conn-host h --conn-password secret >/dev/null
"""
FIRST, SECOND = "first-password-of-kim", "second-password-of-kim"
UNTOUCHED = f"""readlink /opt/airflow/current
md5sum /etc/airflow/airflow.cfg /etc/airflow/airflow.env
systemctl show --property=ActiveState,ActiveEnterTimestamp 'airflow-*.service'
ls {BACKUPS} 2>/dev/null || true
"""


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = make_cluster("e2eversions")
    configure(cluster, "2.11.2")
    cluster.toolkit("lock")
    cluster.toolkit("provision", "--no-verify")
    cluster.ssh(HOST, DAGS)
    return cluster


def configure(cluster: Cluster, version: str, password: str = FIRST, **more: Any) -> None:
    user = {"username": "kim", "password": password, "email": "kim@example.com", "role": "Op"}
    cluster.set(
        yaml.safe_dump(
            {
                "airflow_version": version,
                "airflow_requirements": ["pytest"],
                "airflow_users": [user],
                **more,
            }
        )
    )


def change_vault(cluster: Cluster, **changes: str) -> None:
    """As its owner would."""
    vault.update(Inventory.load(cluster.directory), changes)


def of(answer: dict[str, Any], id: str) -> dict[str, Any]:
    """The one finding with that id."""
    (found,) = (one for one in answer["findings"] if one["id"] == id)
    return dict(found)


def dumps(cluster: Cluster) -> list[str]:
    return cluster.ssh(HOST, f"ls {BACKUPS}").split()


def test_another_version_is_refused_before_anything_changes(cluster: Cluster) -> None:
    configure(cluster, "3.3.2")
    cluster.toolkit("lock")
    before = cluster.ssh(HOST, UNTOUCHED)
    found = of(cluster.json("provision", expect=2), "versions.upgrade")
    assert "Airflow 2.11.2 runs, and airflow_version is 3.3.2" in found["what"]
    assert "--allow-upgrade" in found["fix"]
    assert cluster.ssh(HOST, UNTOUCHED) == before


def test_dags_that_the_new_version_cannot_import_stop_it(cluster: Cluster) -> None:
    before = cluster.ssh(HOST, UNTOUCHED)
    (failure,) = cluster.json("provision", "--allow-upgrade", expect=1)["failures"]
    assert "/dags/current/nightly.py:6: TypeError" in failure["detail"]
    assert "schedule_interval" in failure["detail"]
    assert "/dags/current/broken.py:2: SyntaxError" in failure["detail"]
    assert cluster.ssh(HOST, UNTOUCHED) == before
    assert cluster.json("status")["ok"]


def test_an_upgrade_that_is_killed_is_continued_without_a_second_dump(cluster: Cluster) -> None:
    cluster.ssh(HOST, f"cd {FOLDER}; rm broken.py; sed -i s/schedule_interval/schedule/ nightly.py")
    command = [TOOLKIT, "provision", "-i", str(cluster.directory), "--allow-upgrade"]
    with subprocess.Popen(command, env=cluster.environment, stdout=subprocess.DEVNULL) as run:
        deadline = time.monotonic() + 300
        while "/3.3.2-" not in cluster.ssh(HOST, "readlink /opt/airflow/current"):
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
        run.kill()
    (dump,) = dumps(cluster)
    result = cluster.json("provision", "--allow-upgrade")
    assert all(check["ok"] for check in result["checks"])
    assert dumps(cluster) == [dump]
    modes = cluster.ssh(HOST, f"stat -c '%a %U' {BACKUPS} {BACKUPS}/{dump}")
    assert modes == "700 root\n600 root\n"
    assert "variable" in cluster.ssh(HOST, f"pg_restore --list {BACKUPS}/{dump}")
    assert "secret" in cluster.ssh(HOST, "airflow connections get warehouse -o json 2>/dev/null")
    assert cluster.json("provision", "--no-verify")["changes"] == []


def test_going_back_is_refused_and_names_the_dump(cluster: Cluster) -> None:
    (dump,) = dumps(cluster)
    configure(cluster, "2.11.2")
    cluster.toolkit("lock")
    before = cluster.ssh(HOST, UNTOUCHED)
    found = of(cluster.json("provision", "--allow-upgrade", expect=2), "versions.unknown_schema")
    assert f"{HOST}:{BACKUPS}/{dump}" in found["fix"]
    assert cluster.ssh(HOST, UNTOUCHED) == before


def test_a_fernet_key_that_does_not_decrypt_is_never_written(cluster: Cluster) -> None:
    configure(cluster, "3.3.2")
    cluster.toolkit("lock")
    old, new = cluster.vault()["airflow_fernet_key"], GENERATED["airflow_fernet_key"]()
    change_vault(cluster, airflow_fernet_key=new)
    before = cluster.ssh(HOST, UNTOUCHED)
    checked = cluster.json("check", expect=2)
    what = of(checked, "database.fernet_key")["what"]
    assert "1 connection (warehouse) and 1 variable (schedule)" in what
    assert of(checked, "secrets.on_host")["what"].startswith("airflow_fernet_key of this host")
    assert of(cluster.json("status"), "secrets.on_host")["host"] == HOST
    cluster.toolkit("provision", expect=2)
    # The roles alone refuse it too, before any secret is written.
    printed = cluster.toolkit("provision", "--print-command").stdout
    alone = subprocess.run(
        ["sh", "-c", printed], check=False, capture_output=True, text=True,
        env=cluster.environment | {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")},
    )  # fmt: skip
    assert alone.returncode == 2
    assert "does not decrypt 1 connection (warehouse)" in alone.stdout
    assert cluster.ssh(HOST, UNTOUCHED) == before
    change_vault(cluster, airflow_fernet_key=f"{new},{old}")


def test_the_vault_is_the_truth_of_passwords(cluster: Cluster) -> None:
    change_vault(cluster, airflow_admin_password="another-password-of-the-admin")
    configure(cluster, "3.3.2", SECOND)
    result = cluster.json("provision")
    assert result["details"] == ["set the password of user admin; set the password of user kim"]
    assert sign_in(cluster, "admin", "another-password-of-the-admin") == "201"
    assert sign_in(cluster, "kim", SECOND) == "201"
    assert sign_in(cluster, "kim", FIRST) == "401"
    assert cluster.json("provision", "--no-verify")["changes"] == []
    assert_no_secret(cluster, json.dumps(result))


def sign_in(cluster: Cluster, username: str, password: str) -> str:
    """HTTP status."""
    body = json.dumps({"username": username, "password": password})
    program = (
        "import sys, urllib.request, urllib.error\n"
        f"request = urllib.request.Request('http://127.0.0.1:8080/auth/token', {body!r}.encode(),\n"
        "                                 {'Content-Type': 'application/json'})\n"
        "try: print(urllib.request.urlopen(request).status)\n"
        "except urllib.error.HTTPError as error: print(error.code)\n"
    )
    return cluster.ssh(HOST, f"python3 - <<'P'\n{program}P\n").strip()


def test_users_that_would_collide_are_refused(cluster: Cluster) -> None:
    before = cluster.ssh(HOST, UNTOUCHED)
    configure(cluster, "3.3.2", SECOND, airflow_admin_username="ops")
    answer = cluster.json("provision", expect=2)
    assert "which user admin has" in of(answer, "database.user_email")["what"]
    assert "users delete --username admin" in of(answer, "database.former_admin")["fix"]
    configure(cluster, "3.3.2", SECOND, airflow_admin_email="kim@example.com")
    what = of(cluster.json("check", expect=2), "database.same_user")["what"]
    assert what == "users admin and kim have the same e-mail address kim@example.com"
    configure(cluster, "3.3.2", SECOND, airflow_admin_email="else@example.com")
    assert of(cluster.json("check"), "database.user_differs")["severity"] == "note"
    assert cluster.ssh(HOST, UNTOUCHED) == before


NIGHTLY = """from datetime import datetime
from airflow import DAG
from ours import Yearly
with DAG("nightly", start_date=datetime(2024, 1, 1), schedule=Yearly("@yearly", timezone="UTC")) as dag:
    pass
"""
PLUGIN = """from airflow.plugins_manager import AirflowPlugin
from airflow.timetables.interval import CronDataIntervalTimetable

class Yearly(CronDataIntervalTimetable):
    pass

class Ours(AirflowPlugin):
    name = "ours"
    timetables = [Yearly]
"""
HELPED = """import os, sys
from datetime import datetime
from airflow import DAG
sys.path.insert(0, os.path.dirname(__file__))
from helpers import NAME
with DAG(NAME, start_date=datetime(2024, 1, 1), schedule=None):
    pass
"""
TWICE = """from datetime import datetime
from airflow import DAG
for number in (1, 2):
    with DAG("twice", start_date=datetime(2024, 1, number), schedule=None):
        pass
"""
TEST = "from dags.nightly import dag\n\ndef test_its_name():\n    assert dag.dag_id == 'NAME'\n"


def deploy_tested(cluster: Cluster, project: Path) -> None:
    """A project's own tests run with Airflow's Python and a database of their own, before the switch.

    It has a timetable of its own, and two files of DAGs each import a module of the same name.
    """
    for folder in ("dags/a", "dags/b", "tests", "plugins"):
        (project / folder).mkdir(parents=True)
    for folder in ("a", "b"):
        (project / f"dags/{folder}/dags_of_{folder}.py").write_text(HELPED)
        (project / f"dags/{folder}/helpers.py").write_text(f"NAME = 'from_{folder}'\n")
    (project / "plugins/ours.py").write_text(PLUGIN)
    (project / "version.txt").write_text(cluster.version)
    (project / "dags/nightly.py").write_text(NIGHTLY)
    (project / "tests/test_nightly.py").write_text(TEST.replace("NAME", "monthly"))
    deploy = ("deploy", str(project), "--pytest", "tests")
    what = of(cluster.json(*deploy, expect=2), "dags.tests")["what"]
    assert "tests/test_nightly.py:4: AssertionError" in what and "'nightly' == 'monthly'" in what
    (project / "tests/test_nightly.py").write_text(TEST.replace("NAME", "nightly"))
    # Units that began before know nothing of the timetable.
    found = cluster.json(*deploy, "--restart")
    assert (found["dags"], found["restart"]) == (3, False)
    bad = project / "dags/a/dags_of_a.py"
    bad.write_text(TWICE)
    what = of(cluster.json(*deploy, "--allow-removal", expect=2), "dags.duplicate")["what"]
    assert what == "a/dags_of_a.py: DAG twice is in a/dags_of_a.py as well"


def test_a_projects_tests_run_before_the_switch(cluster: Cluster, tmp_path: Path) -> None:
    configure(cluster, "3.3.2", SECOND)
    deploy_tested(cluster, tmp_path)


def test_an_empty_database_never_takes_the_place_of_the_one_in_use(cluster: Cluster) -> None:
    before = cluster.ssh(HOST, UNTOUCHED)
    configure(cluster, "3.3.2", SECOND, metadata_db_name="other")
    what = of(cluster.json("provision", expect=2), "database.moved")["what"]
    assert "database other on" in what and "uses airflow on" in what
    assert cluster.ssh(HOST, UNTOUCHED) == before
    # The roles alone have made the database by then, and nothing that uses it.
    assert "holds nothing of Airflow's" in cluster.refused_playbook()
    assert cluster.ssh(HOST, UNTOUCHED) == before
    cluster.ssh(HOST, "cd /; runuser -u postgres -- dropdb other")


def test_the_way_back_is_the_dump(cluster: Cluster, tmp_path: Path) -> None:
    """As docs/upgrades.md says."""
    (dump,) = dumps(cluster)
    cluster.ssh(
        HOST,
        f"""set -e
systemctl stop 'airflow-*.service'
cd /
runuser -u postgres -- dropdb airflow
runuser -u postgres -- createdb --owner=airflow --encoding=UTF8 --template=template0 airflow
runuser -u postgres -- pg_restore --no-owner --role=airflow --dbname=airflow < {BACKUPS}/{dump}
sed -i s/schedule=/schedule_interval=/ {FOLDER}/nightly.py
""",
    )
    configure(cluster, "2.11.2", SECOND)
    cluster.toolkit("lock")
    assert of(cluster.json("provision", expect=2), "versions.upgrade")["host"] == HOST
    result = cluster.json("provision", "--allow-upgrade")
    # What the dump knows of files that could not be imported is a warning.
    assert all(check["ok"] or check["severity"] == "warning" for check in result["checks"])
    rows = cluster.json("status")["rows"]
    assert {row["component"] for row in rows} == {"webserver", "scheduler", "triggerer"}
    assert "secret" in cluster.ssh(HOST, "airflow connections get warehouse -o json 2>/dev/null")
    deploy_tested(cluster, tmp_path)
