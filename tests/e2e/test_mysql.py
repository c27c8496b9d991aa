"""MySQL as metadata database, and three hosts of three platforms; CeleryExecutor."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import quote

import pytest
import yaml
from support.lab_cluster import REPOSITORY, Cluster, assert_no_secret

from toolkit.cluster import Cluster as Inventory
from toolkit.cluster import vault
from toolkit.cluster.vault import GENERATED

HOSTS = {
    "e2esid1": ("debian-sid", ["metadata_db"]),
    "e2etrixie1": ("debian13", ["broker", "scheduler", "webserver"]),
    "e2eubuntu1": ("ubuntu-like", ["worker"]),
}


@pytest.fixture(scope="module")
def provisioned(make_cluster: Callable[..., Cluster]) -> Cluster:
    """One inventory of hosts from three labs."""
    merged: dict[str, dict[str, dict[str, object]]] = {"all": {"hosts": {}}}
    known = ""
    for name, (image, groups) in HOSTS.items():
        cluster = make_cluster(name[:-1], image=image)
        lab = yaml.safe_load((cluster.directory / "hosts.yml").read_text())
        merged["all"]["hosts"] |= lab["all"]["hosts"]
        known += (cluster.directory / "known_hosts").read_text()
        for group in groups:
            merged.setdefault(group, {"hosts": {}})["hosts"][name] = None
    (cluster.directory / "hosts.yml").write_text(yaml.safe_dump(merged))
    (cluster.directory / "known_hosts").write_text(known)
    cluster.set("metadata_db_engine: mysql\n")
    done = cluster.toolkit("provision")
    assert "the canary DAG ran" in done.stdout
    assert_no_secret(cluster, done.stdout, done.stderr)
    return cluster


def test_second_provision_changes_nothing(provisioned: Cluster) -> None:
    assert provisioned.json("provision", "--no-verify")["changes"] == []


def test_check_mode_finds_nothing_to_change(provisioned: Cluster) -> None:
    assert provisioned.json("provision", "--check")["changes"] == []


def test_status_reads_heartbeats_from_mysql(provisioned: Cluster) -> None:
    told = provisioned.toolkit("status").stdout
    assert "not read" not in told
    scheduler = next(line for line in told.splitlines() if "scheduler" in line)
    assert "active (running)" in scheduler


def test_the_user_has_its_one_schema_and_needs_its_password(provisioned: Cluster) -> None:
    database = next(iter(HOSTS))
    grants = provisioned.ssh(database, "mysql -NBe \"show grants for 'airflow'@'localhost'\"")
    assert sorted(line.partition(" TO ")[0] for line in grants.splitlines()) == [
        "GRANT ALL PRIVILEGES ON `airflow`.*",
        "GRANT USAGE ON *.*",
    ]
    refused = provisioned.ssh(
        database, "mysql -h 127.0.0.1 -u airflow -pwrong airflow 2>&1 || true"
    )
    assert "Access denied" in refused
    log = provisioned.ssh(database, "cat /var/log/mysql/error.log; journalctl -u mysql --no-pager")
    assert provisioned.vault()["metadata_db_password"] not in log


def test_the_dump_that_an_upgrade_makes_can_be_restored(provisioned: Cluster) -> None:
    database = next(iter(HOSTS))
    password = quote(provisioned.vault()["metadata_db_password"], safe="")
    url = f"mysql+mysqldb://airflow:{password}@127.0.0.1:3306/airflow"
    asked = json.dumps({"url": url, "ca": "", "bytes": 0, "name": "airflow-test"})
    program = (REPOSITORY / "roles/airflow/files/dump_database.py").read_text()
    said = provisioned.ssh(database, f"cat > /root/dump.py <<'END'\n{program}\nEND\n"
                           f"python3 /root/dump.py <<'END'\n{asked}\nEND\n")  # fmt: skip
    path = json.loads(said)["path"]
    count = "mysql -NBe 'select count(*) from {}.alembic_version'"
    restored = provisioned.ssh(database, f"mysql -e 'create database back'; mysql back < {path}; "
                               + count.format("back"))  # fmt: skip
    assert restored == provisioned.ssh(database, count.format("airflow")) == "1\n"
    provisioned.ssh(database, f"mysql -e 'drop database back'; rm {path} /root/dump.py")


def test_a_fernet_key_that_does_not_decrypt_is_found_in_mysql(provisioned: Cluster) -> None:
    scheduler = "e2etrixie1"
    provisioned.ssh(scheduler, "airflow variables set colour blue >/dev/null")
    right = provisioned.vault()["airflow_fernet_key"]
    wrong = GENERATED["airflow_fernet_key"]()
    for key, expect in ((wrong, 2), (f"{wrong},{right}", 0), (right, 0)):
        vault.update(Inventory.load(provisioned.directory), {"airflow_fernet_key": key})
        ids = [one["id"] for one in provisioned.json("check", expect=expect)["findings"]]
        assert ("database.fernet_key" in ids) == (key == wrong)


def test_another_engine_is_refused_with_the_way_there(provisioned: Cluster) -> None:
    provisioned.set("metadata_db_engine: postgres\n")
    (provisioned.directory / "airflow.lock").unlink()  # it has MySQL's driver
    found = {f["id"]: f for f in provisioned.json("provision", expect=2)["findings"]}
    assert "airflow connections export" in found["platform.engine_changed"]["fix"]
    provisioned.set("metadata_db_engine: mysql\n")
