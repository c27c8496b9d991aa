"""Our quick reading of an inventory is Ansible's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from toolkit.cluster import Cluster

REPOSITORY = Path(__file__).resolve().parents[2]
NESTED = """
all:
  vars: {base_packages: [a], airflow_parallelism: 1}
  children:
    production:
      vars: {airflow_parallelism: 2}
      children:
        worker: {hosts: {w1: {airflow_parallelism: 4}, w2: }}
    scheduler: {hosts: {s1: {ansible_host: 10.0.0.1}}}
"""


def by_ansible(directory: Path) -> dict[str, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "ansible.cli.inventory", "-i", str(directory), "--list"],
        cwd=REPOSITORY, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, dict[str, object]] = json.loads(done.stdout)["_meta"]["hostvars"]
    return found


@pytest.mark.parametrize("sample", ["single", "cluster"])
def test_samples(sample: str) -> None:
    directory = REPOSITORY / "inventory" / sample
    ours = {host.name: dict(host.variables) for host in Cluster.load(directory).inventory_hosts}
    assert ours == {name: by_ansible(directory).get(name, {}) for name in ours}


def test_an_inventory_that_is_no_yaml(tmp_path: Path) -> None:
    for path, text in {
        "hosts.ini": "[all:vars]\nbase_packages=1\n[worker]\nw[1:2]\nw3 airflow_parallelism=3\n"
        "[worker:vars]\nairflow_parallelism=1\nairflow_web_port=1\n",
        "group_vars/worker.yml": "airflow_parallelism: 2\n",
        "host_vars/w2.yml": "airflow_web_port: 2\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    expected = by_ansible(tmp_path)
    assert {name: found["airflow_parallelism"] for name, found in expected.items()} == {
        "w1": 2, "w2": 2, "w3": 3,
    }  # fmt: skip
    # The vault's password is Ansible's business; hosts are known without it.
    (tmp_path / "group_vars/all").mkdir()
    (tmp_path / "group_vars/all/vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    ours = {host.name: dict(host.variables) for host in Cluster.load(tmp_path).inventory_hosts}
    assert ours == expected


def test_nested_groups_and_precedence(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text(NESTED)
    for path, text in {
        "group_vars/all/airflow.yml": "airflow_timezone: utc\nairflow_web_port: 1\n",
        "group_vars/worker.yml": "airflow_web_port: 2\n",
        "host_vars/w1.yml": "airflow_web_port: 3\n",
        "airflow.lock": "a==1 \\\n    --hash=sha256:00\n",
        "known_hosts": "10.0.0.1 ssh-ed25519 AAAA\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    ours = {host.name: dict(host.variables) for host in Cluster.load(tmp_path).inventory_hosts}
    assert ours == by_ansible(tmp_path)
    assert ours["w1"]["airflow_parallelism"] == 4
    assert ours["w1"]["airflow_web_port"] == 3


def test_any_inventory_beside_a_vault_and_certificates(tmp_path: Path) -> None:
    (tmp_path / "hosts.ini").write_text("[scheduler]\ns[1:2] ansible_user=admin\n")
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    (tmp_path / "group_vars/all").mkdir(parents=True)
    (tmp_path / "group_vars/all/airflow.yml").write_text("airflow_web_port: 1\n")
    (tmp_path / "group_vars/all/vault.yml").write_text("$ANSIBLE_VAULT;1.1;AES256\n3435\n")
    found = Cluster.load(tmp_path)
    assert [host.name for host in found.hosts] == ["s1", "s2"]
    assert found.setting("airflow_web_port") == 1
