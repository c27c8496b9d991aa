"""Two hosts as common baselines leave them, who know each other by DNS names, with a proxy that helps nobody."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.lab_cluster import Cluster

from toolkit.cluster import Cluster as Inventory

CONTROL, WORKER = "e2ehard1", "e2ehard2"
SUPPORT = Path(__file__).resolve().parents[1] / "support"
PROXY = "http://127.0.0.1:3999"
SETTINGS = {"airflow_environment": {"HTTP_PROXY": PROXY, "https_proxy": PROXY, "NO_PROXY": ".corp"}}
NAMES = {CONTROL: "control.lab.example", WORKER: "worker.lab.example"}
ROOT = """
mkdir -p /root/.ssh
key=$(cat /home/admin/.ssh/authorized_keys)
command='echo "Please login as the user \\"admin\\" rather than the user \\"root\\".";echo;sleep 120;exit 142'
printf 'command="%s" %s\\n' "$(echo "$command" | sed 's/"/\\\\"/g')" "$key" > /root/.ssh/authorized_keys
"""
# As Debian names a host, with a first name for the other one that its address has alone.
HOSTS = """
cat > /etc/hosts <<'END'
127.0.0.1 localhost
127.0.1.1 {own} {name}
{other_address} reverse-{other}.lab.example {other_name} {other}
END
"""
RECORD_REQUESTS = """
cat > /run/proxy.py <<'END'
{program}
END
systemd-run --quiet --unit=proxy /usr/bin/python3 /run/proxy.py
sed -i '1i echo "Welcome to $(uname -n)"' /home/admin/.bashrc
"""
TO_EVERY_LOGIN = """
echo 'session required pam_env.so readenv=1' >> /etc/pam.d/sudo
printf 'http_proxy={proxy}\\nHTTPS_PROXY={proxy}\\n' >> /etc/environment
"""
BROKEN = """
cat > /var/lib/airflow/dags/current/broken.py <<'END'
from airflow.sdk import DAG

import nosuch
END
chmod 0644 /var/lib/airflow/dags/current/broken.py
"""


@pytest.fixture(scope="module")
def bare(make_cluster: Callable[..., Cluster]) -> Cluster:
    """Hosts that reach each other by names which they do not know."""
    cluster = make_cluster("e2ehard", 2)
    path = cluster.directory / "hosts.yml"
    inventory = yaml.safe_load(path.read_text())
    for host, name in NAMES.items():
        inventory["all"]["hosts"][host]["base_address"] = name
    path.write_text(yaml.safe_dump(inventory))
    cluster.set(yaml.safe_dump(SETTINGS))
    cluster.ssh(WORKER, ROOT + f"echo '127.0.0.1 localhost {WORKER}' > /etc/hosts")
    return cluster


@pytest.fixture(scope="module")
def hardened(bare: Cluster) -> Cluster:
    """The same, hardened and provisioned."""
    addresses = {host.name: host.address for host in Inventory.load(bare.directory).all_hosts}
    program = (SUPPORT / "recording_proxy.py").read_text()
    for own, other in ((CONTROL, WORKER), (WORKER, CONTROL)):
        bare.ssh(own, HOSTS.format(own=own, name=NAMES[own], other=other, other_name=NAMES[other],
                                   other_address=addresses[other]))  # fmt: skip
        bare.ssh(own, (SUPPORT / "harden.sh").read_text())
        bare.ssh(own, RECORD_REQUESTS.format(program=program))
    bare.toolkit("provision")
    return bare


def found(said: dict[str, Any]) -> dict[tuple[str, str], str]:
    return {(one["id"], one["host"]): one["fix"] for one in said["findings"]}


def test_names_that_mislead_are_found_before_anything_is_changed(bare: Cluster) -> None:
    wrong = found(bare.json("check", expect=2))
    assert f"127.0.1.1 {WORKER}" in wrong["peers.own_name", WORKER]
    assert f"{NAMES[WORKER]}'" in wrong["peers.name", CONTROL]
    assert "/etc/hosts" in wrong["network.peer", WORKER]


def test_an_image_that_refuses_root_says_who_may(bare: Cluster, tmp_path: Path) -> None:
    inventory = yaml.safe_load((bare.directory / "hosts.yml").read_text())
    inventory["all"]["hosts"][WORKER]["ansible_user"] = "root"
    directory = tmp_path / "as-root"
    directory.mkdir()
    (directory / "hosts.yml").write_text(yaml.safe_dump(inventory))
    (directory / "known_hosts").write_text((bare.directory / "known_hosts").read_text())
    begun = time.monotonic()
    wrong = found(Cluster(directory, bare.environment).json("check", expect=2))
    assert "ansible_user: admin" in wrong["access.other_user", WORKER]
    assert time.monotonic() - begun < 100  # the host keeps one for longer


def test_a_worker_s_log_is_read_by_the_name_that_it_gives_itself(hardened: Cluster) -> None:
    program = """
import json, time, urllib.request

def call(method, path, body=None, **headers):
    data = None if body is None else json.dumps(body).encode()
    headers = dict({"Content-Type": "application/json", "Accept": "application/json"}, **headers)
    request = urllib.request.Request("http://127.0.0.1:8080" + path, data, headers, method=method)
    return json.loads(urllib.request.urlopen(request, timeout=60).read())

login = {"username": "toolkit-canary", "password": PASSWORD}
token = {"Authorization": "Bearer " + call("POST", "/auth/token", login)["access_token"]}
runs = "/api/v2/dags/toolkit_canary/dagRuns"
run = call("POST", runs, {"logical_date": None, "dag_run_id": "logged"}, **token)["dag_run_id"]
for _ in range(120):
    if call("GET", runs + "/" + run, **token)["state"] in ("success", "failed"):
        break
    time.sleep(1)
print(json.dumps(call("GET", runs + "/logged/taskInstances/bash_on_HOST/logs/1", **token)))
"""
    password = json.dumps(hardened.vault()["airflow_canary_password"])
    text = program.replace("PASSWORD", password).replace("HOST", WORKER)
    said = hardened.ssh(CONTROL, f"python3 - <<'END'\n{text}\nEND")
    assert f"http://{WORKER}:8793/log/" in said
    assert "Could not read served logs" not in said


def test_a_second_run_changes_nothing_and_proves_it_past_every_proxy(hardened: Cluster) -> None:
    for host in NAMES:
        hardened.ssh(host, TO_EVERY_LOGIN.format(proxy=PROXY))
    hardened.ssh(CONTROL, BROKEN)
    hardened.reserialize(CONTROL)
    again = hardened.json("provision")
    assert again["changes"] == []
    (broken,) = [one for one in again["checks"] if one["id"] == "running.import_error"]
    assert (
        "/var/lib/airflow/dags/current/broken.py:3 cannot be imported: ModuleNotFoundError"
        in broken["detail"]
    )
    assert {"database.import_error"} <= {one["id"] for one in again["findings"]}
    for host in NAMES:
        asked = hardened.ssh(host, "cat /run/proxy.log 2>/dev/null || true")
        own = [*NAMES, *NAMES.values(), "127.0.0.1", "localhost", ":8080", ":8793", ":8794"]
        lines = [line for line in asked.splitlines() if not line.startswith("Welcome")]
        assert not [line for line in lines if any(name in line for name in own)], asked
        kept = hardened.ssh(host, "grep -i no_proxy /etc/airflow/airflow.env")
        assert kept.count('=".corp,') == 2
        assert NAMES[CONTROL] in kept


def test_what_is_made_has_its_mode_under_a_closed_umask(hardened: Cluster) -> None:
    closed = """
find /opt/airflow/releases /usr/local/lib/airflow-toolkit /usr/local/bin /etc/systemd/system \
    -xdev \\( -type f -o -type d \\) ! -perm -004 ! -name '*.building' ! -name cluster.json
stat -c '%a %U %n' /opt/airflow/cache
runuser -u nobody -- ls /opt/airflow/cache /var/lib/airflow /var/log/airflow 2>/dev/null | wc -l
"""
    for host in NAMES:
        lines = hardened.ssh(host, f"umask\n{closed}").splitlines()
        assert [line for line in lines if not line.startswith("Welcome")] == [
            "0027", "700 root /opt/airflow/cache", "0",
        ]  # fmt: skip
