"""Hosts that are somebody's: refused as a whole, or taken over by name; a second cluster is refused."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab_cluster import TIMEOUT, TOOLKIT, Cluster

HOST, BARE = "e2eowner1", "e2eowner2"
SERVICE = (
    "[Service]\nUser={}\nExecStart=/bin/sleep infinity\n{}[Install]\nWantedBy=multi-user.target\n"
)
STRANGERS = f"""set -e
useradd -m -s /usr/sbin/nologin airflow
mkdir -p /home/airflow/airflow /opt/airflow/venv/bin /var/lib/airflow/dags /etc/airflow /etc/logrotate.d
echo '[core]' > /home/airflow/airflow/airflow.cfg
echo '[core]' > /etc/airflow/airflow.cfg
echo 'print("theirs")' | tee /opt/airflow/venv/bin/airflow > /var/lib/airflow/dags/theirs.py
echo '# theirs' | tee /etc/logrotate.d/airflow /etc/tmpfiles.d/airflow.conf /usr/local/bin/airflow > /dev/null
chown -R airflow: /home/airflow /var/lib/airflow
chmod 750 /usr/local/bin/airflow
cd /etc/systemd/system
cat > airflow-scheduler.service <<'X'
{SERVICE.format("admin", "")}
X
cat > airflow-backup.service <<'X'
{SERVICE.format("admin", "Slice=airflow.slice" + chr(10))}
X
printf '[Timer]\\nOnCalendar=daily\\n[Install]\\nWantedBy=timers.target\\n' > airflow-backup.timer
mkdir airflow-backup.service.d
printf '[Service]\\nNice=5\\n' > airflow-backup.service.d/nice.conf
systemctl daemon-reload
systemctl enable --quiet --now airflow-scheduler.service airflow-backup.service airflow-backup.timer
systemd-run --quiet --uid airflow --unit theirs sleep infinity
"""
THINGS = ["user:airflow", "/etc/airflow", "/opt/airflow", "/var/lib/airflow/dags", "/etc/logrotate.d/airflow",
          "/etc/tmpfiles.d/airflow.conf", "/usr/local/bin/airflow", "airflow-scheduler.service"]  # fmt: skip
DIGEST = """
for path in /etc /home /opt /usr/local /var/lib/airflow /var/log/airflow /var/backups; do
    [ ! -e $path ] || tar -C / -cf - --sort=name ${path#/} | sha256sum
done
getent passwd; getent group; systemctl list-units --no-legend --plain 'airflow*'
"""
BACKUP = "systemctl show -p MainPID -p ActiveState -p NRestarts airflow-backup.service airflow-backup.timer; cat /etc/systemd/system/airflow-backup.* /etc/systemd/system/airflow-backup.service.d/* 2>/dev/null || true"


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A host that is full of others' things, and a bare one that is in no group of ours."""
    made = make_cluster("e2eowner", hosts=2)
    change(made.directory, lambda tree: arrange(tree, HOST))
    made.ssh(HOST, STRANGERS)
    return made


def change(directory: Path, how: Callable[[dict[str, Any]], Any]) -> None:
    """Change hosts.yml."""
    path = directory / "hosts.yml"
    tree = yaml.safe_load(path.read_text())
    how(tree)
    path.write_text(yaml.safe_dump(tree))


def arrange(tree: dict[str, Any], airflow: str, database: str = "") -> None:
    """Airflow on one host, its database there or on the other."""
    for name in [name for name in tree if name != "all"]:
        del tree[name]
    for name in ("metadata_db", "scheduler", "webserver"):
        host = database if database and name == "metadata_db" else airflow
        tree[name] = {"hosts": {host: None}}


def copied(cluster: Cluster, name: str) -> Cluster:
    """Hosts and host keys in another directory: what people copy."""
    directory = cluster.directory.parent / name
    directory.mkdir()
    for file in ("hosts.yml", "known_hosts"):
        shutil.copy(cluster.directory / file, directory)
    return replace(cluster, directory=directory)


def errors(cluster: Cluster, verb: str = "check", expect: int = 2) -> list[dict[str, str]]:
    found = cluster.json(verb, expect=expect)["findings"]
    return [finding for finding in found if finding["severity"] == "error"]


@pytest.mark.scenario
def test_all_that_is_not_ours_is_refused_at_once_and_nothing_changes(cluster: Cluster) -> None:
    before = cluster.ssh(HOST, DIGEST)
    found = errors(cluster)
    assert {finding["id"] for finding in found} == {"ownership.existing", "ownership.in_the_way"}
    (busy,) = (finding["what"] for finding in found if finding["id"] == "ownership.in_the_way")
    assert "home /home/airflow" in busy and "sleep (pid" in busy
    assert f"base_adopt: [{', '.join(THINGS[1:])}]" in found[-1]["fix"]
    assert errors(cluster, "provision") == found
    said = cluster.refused_playbook()
    for thing in THINGS:
        assert thing in said, said
    assert cluster.ssh(HOST, DIGEST) == before


@pytest.mark.scenario
def test_a_user_with_processes_is_not_taken_over(cluster: Cluster) -> None:
    before = cluster.ssh(HOST, DIGEST)
    cluster.set(f"base_adopt: [{', '.join(THINGS)}]\n")
    (busy,) = errors(cluster, "provision")
    assert busy["id"] == "ownership.in_the_way"
    assert "stop them first" in busy["fix"]
    assert "stop them first" in cluster.refused_playbook()
    assert cluster.ssh(HOST, DIGEST) == before


@pytest.mark.scenario
def test_what_is_named_is_taken_over_with_a_copy_and_the_rest_stays(cluster: Cluster) -> None:
    cluster.ssh(HOST, "systemctl stop theirs")
    backup = cluster.ssh(HOST, BACKUP)
    result = cluster.json("provision", "--no-verify")
    assert result["ok"]
    (kept,) = (line for line in result["groups"] if line.startswith("taken over"))
    for thing in THINGS:
        assert f"{thing} in /var/backups/airflow-toolkit/" in kept
    copies = "cd /var/backups/airflow-toolkit/*; stat -c '%a %U' usr/local/bin/airflow; cat etc/systemd/system/airflow-scheduler.service user-airflow opt/airflow/venv/bin/airflow var/lib/airflow/dags/theirs.py"
    said = cluster.ssh(HOST, copies)
    for words in ("750 root", "User=admin", ":/home/airflow:/usr/sbin/nologin", 'print("theirs")'):
        assert words in said
    assert cluster.ssh(HOST, BACKUP) == backup
    assert "ActiveState=active" in backup
    assert cluster.ssh(HOST, "cat /home/airflow/airflow/airflow.cfg") == "[core]\n"
    assert cluster.ssh(HOST, "cat /var/lib/airflow/dags/theirs.py") == 'print("theirs")\n'
    assert cluster.ssh(BARE, "ls /usr/local/lib /opt /etc | grep airflow || true") == ""


@pytest.mark.scenario
def test_only_units_of_ours_are_removed(cluster: Cluster) -> None:
    backup = cluster.ssh(HOST, BACKUP)
    cluster.set("airflow_triggerer_enabled: false\n")
    result = cluster.json("provision", "--no-verify")
    assert "removed: /etc/systemd/system/airflow-triggerer.service" in result["groups"]
    assert cluster.ssh(HOST, BACKUP) == backup
    assert cluster.json("provision", "--no-verify")["changes"] == []
    assert [
        f for f in cluster.json("check")["findings"] if f["id"].startswith(("drift", "owner"))
    ] == []


@pytest.mark.scenario
def test_the_hosts_of_another_cluster_are_refused(cluster: Cluster) -> None:
    second = copied(cluster, "second")
    # What runs writes below /var.
    digest = DIGEST.replace("/var/lib/airflow /var/log/airflow", "")
    before = cluster.ssh(HOST, digest)
    (found,) = errors(second, "provision")
    assert found["id"] == "ownership.other_cluster"
    for words in ("cluster e2eowner", str(cluster.directory), "provisioned it last", "at 2"):
        assert words in found["what"]
    assert "toolkit secrets recover" in found["fix"]
    for path in ("playbooks/provision.yml", *one_role_each(second)):
        assert "belongs to cluster e2eowner" in second.refused_playbook(path)
    # One of its hosts is enough, and then the other one is not touched either.
    change(second.directory, lambda tree: arrange(tree, BARE, database=HOST))
    assert [one["host"] for one in errors(second, "provision")] == [HOST]
    assert "belongs to cluster e2eowner" in second.refused_playbook()
    assert cluster.ssh(HOST, digest) == before
    assert cluster.ssh(BARE, "ls /usr/local/lib /opt /etc | grep airflow || true") == ""
    assert cluster.json("provision", "--no-verify")["ok"]


def one_role_each(cluster: Cluster) -> list[str]:
    """Playbooks of one role."""
    found = []
    for role in ("airflow", "redis"):
        path = cluster.directory.parent / f"{role}.yml"
        variables = {"redis_password": "x"}
        path.write_text(
            yaml.safe_dump(
                [{"hosts": "scheduler", "become": True, "vars": variables, "roles": [role]}]
            )
        )
        found.append(str(path))
    return found


@pytest.mark.scenario
def test_two_control_machines_at_once_on_a_bare_host(cluster: Cluster) -> None:
    first, second = copied(cluster, "bare-first"), copied(cluster, "bare-second")
    for one in (first, second):
        change(one.directory, lambda tree: arrange(tree, BARE))
    command = [TOOLKIT, "provision", "-i", str(first.directory)]
    running = subprocess.Popen(command, env=first.environment, stdout=subprocess.DEVNULL)
    try:
        while not cluster.ssh(BARE, "cat /run/airflow-toolkit/lease.json 2>/dev/null || true"):
            assert running.poll() is None
            time.sleep(0.2)
        said = second.toolkit("provision", expect=2).stderr
        assert "works on this cluster" in said
        assert str(first.directory) in said
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(TIMEOUT)
    # It was the first's from its first change on.
    if cluster.ssh(BARE, "ls /usr/local/lib/airflow-toolkit 2>/dev/null || true"):
        # Others may be about the packages that were being installed.
        assert "ownership.other_cluster" in [one["id"] for one in errors(second, "provision")]


@pytest.mark.scenario
def test_the_service_user_is_nobody_to_sign_in_as(cluster: Cluster) -> None:
    login = copied(cluster, "login")
    change(login.directory, lambda tree: tree["all"]["hosts"][HOST].update(ansible_user="airflow"))
    assert "ownership.login_user" in [one["id"] for one in errors(login, "provision")]
