"""What ruined people's evenings, produced for real on lab hosts: check names it with its fix."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab_cluster import Cluster
from support.vault_files import write_encrypted

BARE, BY_HAND = "e2echeck1", "e2ehand1"
SPOIL = """
set -e
systemd-run --quiet --unit=squatter python3 -m http.server 8793
apt-get -qq update
DEBIAN_FRONTEND=noninteractive apt-get -qq install -y redis-server mariadb-server >/dev/null 2>&1
sed -i 's/^bind .*/bind 0.0.0.0/; s/^protected-mode yes/protected-mode no/' /etc/redis/redis.conf
systemctl restart redis-server
mv /usr/lib/python3.11/lib-dynload/_ctypes.*.so /root/
echo LANG=ko_KR.UTF-8 > /etc/default/locale
touch /run/reboot-required; echo linux-image-amd64 > /run/reboot-required.pkgs
mkdir -p /run/cloud-init; touch /run/cloud-init/status.json
mkdir -p /root/airflow
printf '[core]\\nexecutor = SequentialExecutor\\n[database]\\nsql_alchemy_conn = sqlite:////root/airflow/airflow.db\\n' > /root/airflow/airflow.cfg
echo 4194304 > /root/airflow/airflow-scheduler.pid
"""
SETTINGS = """
airflow_parallelism: 900
airflow_admin_password: admin
airflow_config:
  core: {days_folder: /root/dags, default_timezone: Asia/Soul}
"""
FOUND = {
    "access.chatty_shell",
    "capacity.memory",
    "existing.airflow_home",
    "existing.no_units",
    "existing.pid_file",
    "existing.sequential",
    "existing.sqlite",
    "options.unknown",
    "options.value",
    "ports.open_redis",
    "ports.taken",
    "python.incomplete",
    "secrets.default_password",
    "secrets.plain",
    "system.cloud_init",
    "system.locale",
    "system.reboot",
}
MEND = """
set -e
DEBIAN_FRONTEND=noninteractive apt-get -qq purge -y redis-server redis-tools 'mariadb*' >/dev/null 2>&1
mv /root/_ctypes.*.so /usr/lib/python3.11/lib-dynload/
echo LANG=C.UTF-8 > /etc/default/locale
rm -r /run/reboot-required* /run/cloud-init /root/airflow
rm /home/admin/.bashrc
"""


def by_id(cluster: Cluster, *arguments: str, expect: int) -> dict[str, dict[str, Any]]:
    """The findings of a check, each of which has to say what it found and how to mend it."""
    findings = cluster.json("check", *arguments, expect=expect)["findings"]
    assert all(finding["what"] and finding["fix"] and finding["why"] for finding in findings)
    return {finding["id"]: finding for finding in findings}


@pytest.fixture(scope="module")
def bare(make_cluster: Callable[..., Cluster]) -> Cluster:
    return make_cluster("e2echeck")


@pytest.mark.scenario
def test_many_failures_at_once_are_all_named(bare: Cluster) -> None:
    assert by_id(bare, expect=0) == {}
    bare.ssh(BARE, SPOIL)
    bare.ssh(BARE, "usermod -s /bin/bash admin; echo 'echo Welcome' > /home/admin/.bashrc")
    bare.set(SETTINGS)
    found = by_id(bare, expect=2)
    assert set(found) == FOUND
    assert "dags_folder" in found["options.unknown"]["fix"]
    assert "Asia/Seoul" in found["options.value"]["what"]
    assert "squatter.service" in found["ports.taken"]["fix"]
    assert "ctypes" in found["python.incomplete"]["what"]
    assert "localedef" in found["system.locale"]["fix"]
    assert "linux-image-amd64" in found["system.reboot"]["what"]
    assert "'admin'" not in str(found["secrets.default_password"])


@pytest.mark.scenario
def test_mariadb_where_mysql_is_wanted(bare: Cluster) -> None:
    bare.set(SETTINGS + "metadata_db_engine: mysql\n")
    found = by_id(bare, expect=2)
    assert "metadata_db_engine: postgres" in found["platform.no_mysql"]["fix"]
    taken = [
        finding["what"]
        for finding in bare.json("check", expect=2)["findings"]
        if finding["id"] == "ports.taken"
    ]
    assert any("3306" in text and "mariadbd" in text for text in taken)


@pytest.mark.scenario
def test_a_key_that_others_can_read_and_sudo_that_wants_a_terminal(
    bare: Cluster, tmp_path: Path
) -> None:
    other = Cluster(tmp_path / "copy", bare.environment)
    shutil.copytree(bare.directory, other.directory)
    path = other.directory / "hosts.yml"
    hosts = yaml.safe_load(path.read_text())
    key = tmp_path / "key"
    shutil.copy(hosts["all"]["hosts"][BARE]["ansible_ssh_private_key_file"], key)
    hosts["all"]["hosts"][BARE]["ansible_ssh_private_key_file"] = str(key)
    path.write_text(yaml.safe_dump(hosts))
    key.chmod(0o644)
    assert by_id(other, expect=2)["access.key_mode"]["fix"] == f"chmod 600 {key}"
    key.chmod(0o600)
    assert "access.key_mode" not in by_id(other, expect=2)
    bare.ssh(BARE, "echo 'Defaults:admin requiretty' > /etc/sudoers.d/zz-terminal")
    try:
        found = by_id(bare, expect=2)
        assert "!requiretty" in found["access.requiretty"]["fix"]
    finally:
        bare.podman("exec", BARE, "rm", "/etc/sudoers.d/zz-terminal")


@pytest.mark.scenario
def test_sudo_wants_a_password_that_the_vault_has(bare: Cluster) -> None:
    asking = "echo admin:in-the-vault | chpasswd; echo 'admin ALL = (ALL) PASSWD: ALL' > /etc/sudoers.d/zz-password"
    vault = bare.directory / "host_vars" / BARE / "vault.yml"
    bare.podman("exec", BARE, "sh", "-c", asking)
    try:
        assert "ansible_become_password" in by_id(bare, expect=2)["access.sudo_password"]["fix"]
        write_encrypted(vault, bare.directory, "ansible_become_password: in-the-vault\n")
        assert not {"access.sudo_password", "access.wrong_sudo_password"} & set(
            by_id(bare, expect=2)
        )
        write_encrypted(vault, bare.directory, "ansible_become_password: another-one\n")
        assert "access.wrong_sudo_password" in by_id(bare, expect=2)
    finally:
        bare.podman("exec", BARE, "rm", "/etc/sudoers.d/zz-password")
        shutil.rmtree(vault.parent)


@pytest.mark.scenario
def test_safe_remedies_are_run_when_asked_for(bare: Cluster) -> None:
    bare.set("")
    done = bare.toolkit("check", "--fix", expect=2, stdin="n\n" * 9)
    assert "systemctl disable --now squatter.service" in done.stderr
    assert {"ports.taken", "system.locale", "existing.pid_file"} <= set(by_id(bare, expect=2))
    bare.ssh(BARE, "touch /run/cloud-init/result.json")  # nobody else would end the wait
    bare.toolkit("check", "--fix", "--yes", expect=2)
    left = set(by_id(bare, expect=2))
    assert not {"ports.taken", "system.locale", "existing.pid_file", "system.cloud_init"} & left
    assert "ports.open_redis" in left  # not for a program to decide


@pytest.mark.scenario
def test_mended_the_check_passes_and_provision_succeeds(bare: Cluster) -> None:
    bare.ssh(BARE, MEND)
    bare.set("")
    assert by_id(bare, expect=0) == {}
    result = bare.json("provision", "--no-verify")
    assert result["ok"]
    assert result["findings"] == []
    assert by_id(bare, expect=0) == {}


HAND_MADE = """
set -e
export DEBIAN_FRONTEND=noninteractive UV_SYSTEM_CERTS=1 SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
apt-get -qq update
apt-get -qq install -y postgresql postgresql-contrib >/dev/null 2>&1
cd /
runuser -u postgres -- psql -q -c "CREATE USER airflow PASSWORD 'airflow'" -c "CREATE DATABASE airflow OWNER airflow"
useradd --create-home --home-dir /var/lib/airflow --shell /bin/bash airflow
chmod 755 /var/lib/airflow
/home/admin/uv -q venv /usr/local/airflow-venv
/home/admin/uv -q pip install --python /usr/local/airflow-venv/bin/python --exclude-newer 2026-03-15T00:00:00Z "apache-airflow[postgres]==2.11.2"
# First as root, before anything is configured: SQLite in /root/airflow, as every tutorial has it.
/usr/local/airflow-venv/bin/airflow config get-value core executor >/dev/null 2>&1
sed 's/^executor = .*/executor = SequentialExecutor/' -i /root/airflow/airflow.cfg
# Then as the user, with the database, in a file that everybody can read, with a typo.
runuser -u airflow -- env AIRFLOW_HOME=/var/lib/airflow /usr/local/airflow-venv/bin/airflow config get-value core executor >/dev/null 2>&1
cd /var/lib/airflow
sed -e 's/^executor = .*/executor = LocalExecutor/' -e 's/^dags_folder = /days_folder = /' \
    -e 's#^sql_alchemy_conn = .*#sql_alchemy_conn = postgresql+psycopg2://airflow:airflow@localhost/airflow#' -i airflow.cfg
chmod 644 airflow.cfg
runuser -u airflow -- env AIRFLOW_HOME=/var/lib/airflow /usr/local/airflow-venv/bin/airflow db migrate >/dev/null 2>&1
runuser -u airflow -- env AIRFLOW_HOME=/var/lib/airflow setsid /usr/local/airflow-venv/bin/airflow triggerer </dev/null >/dev/null 2>&1 &
sleep 4
"""


@pytest.mark.extended
def test_an_airflow_that_was_installed_by_hand(make_cluster: Callable[..., Cluster]) -> None:
    """The steps of a published write-up, and the mistakes in it."""
    cluster = make_cluster("e2ehand")
    host = yaml.safe_load((cluster.directory / "hosts.yml").read_text())["all"]["hosts"][BY_HAND]
    by_id(cluster, expect=0)  # writes known_hosts
    subprocess.run(
        ["scp", "-q", "-i", host["ansible_ssh_private_key_file"], "-o", "BatchMode=yes",
         "-o", f"UserKnownHostsFile={cluster.directory / 'known_hosts'}",
         Path(sys.executable).with_name("uv"), f"admin@{host['ansible_host']}:uv"],
        check=True,
    )  # fmt: skip
    cluster.ssh(BY_HAND, HAND_MADE)
    findings = cluster.json("check", expect=2)["findings"]
    told = {(f["id"], f["what"].partition(" has ")[0]) for f in findings}
    found = {f["id"]: f for f in findings}
    assert {
        "existing.airflow_home", "existing.default_password", "existing.no_units",
        "existing.readable_secrets", "existing.sequential", "existing.sqlite",
        "existing.unknown_options", "platform.other_airflow", "ports.server_present",
    } <= set(found)  # fmt: skip
    assert ("existing.default_password", "/var/lib/airflow/airflow.cfg") in told
    assert "/root/airflow" in found["existing.sqlite"]["what"]
    assert "core.days_folder (for dags_folder?)" in found["existing.unknown_options"]["what"]
    assert found["existing.readable_secrets"]["fix"] == (
        "sudo chmod 600 /var/lib/airflow/airflow.cfg"
    )
    assert "triggerer" in found["platform.other_airflow"]["what"]
    # In the way are the server that would be taken over, the triggerer's log port, and that Airflow's home.
    errors = {f["id"]: f["what"] for f in findings if f["severity"] == "error"}
    assert set(errors) == {"ports.server_present", "ports.taken", "ownership.existing"}
    assert "/var/lib/airflow" in errors["ownership.existing"]
    assert "8794" in errors["ports.taken"]


def test_four_healthy_hosts_and_a_firewall(
    make_cluster: Callable[..., Cluster],
) -> None:
    cluster = make_cluster("e2efw", hosts=4)
    assert by_id(cluster, expect=0) == {}
    database = "e2efw1"
    cluster.ssh(
        database,
        "apt-get -qq update && apt-get -qq install -y nftables >/dev/null 2>&1 && "
        "/usr/sbin/nft -f - <<'X'\n"
        "table inet t {\nchain i {\ntype filter hook input priority 0\ntcp dport 6379 reject\n}\n}\nX\n",
    )
    closed = list(cluster.json("check", expect=2)["findings"])
    assert {f["id"] for f in closed} == {"network.firewall"}
    assert {f["host"] for f in closed} == {database}
    cluster.ssh(database, "/usr/sbin/nft flush ruleset")
    # Not timedatectl: in a container it may move the clock of the machine underneath
    # (settimeofday(2): the first call with a time zone warps the clock).
    cluster.ssh("e2efw2", "ln -sfn /usr/share/zoneinfo/Asia/Seoul /etc/localtime")
    assert set(by_id(cluster, expect=0)) == {"system.time_zone"}
    plan = cluster.json("plan")
    assert len(plan["hosts"]) == 4
    assert plan["connections"] < plan["connections_limit"]
    picture = cluster.directory / "plan.svg"
    cluster.toolkit("plan", "--graph", str(picture))
    assert "e2efw4" in picture.read_text()
