"""A host that lets in nobody but the bastion, reached the way that `ec2 up` writes down."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from support.lab_cluster import REPOSITORY, Cluster

from toolkit.cluster import Cluster as Inventory
from toolkit.cluster import Host
from toolkit.cluster.tables import groups
from toolkit.hosts.trust import ssh_option
from toolkit.providers.ec2 import config
from toolkit.providers.ec2.inventory import ssh_arguments

EC2 = """
bastion: t3.nano
login_user: {user}
key_file: {key}
instances: {{inner: {{groups: [scheduler], type: t3.large}}}}
"""


def _lets_in_only(inner: str, gate: Host, lab: Cluster) -> None:
    rule = f"Match Address *,!{gate.address}\n  DenyUsers *\n"
    lab.ssh(inner, f"printf '{rule}' > /etc/ssh/sshd_config.d/gate.conf && systemctl reload ssh")


def _behind(gate: Host, inner: Host, directory: Path, environment: dict[str, str]) -> Cluster:
    directory.mkdir(parents=True)
    (directory / "ec2.yml").write_text(EC2.format(user=gate.user, key=gate.key_file))
    variables = {"ansible_host": inner.address, "ansible_user": inner.user,
                 "ansible_ssh_private_key_file": str(inner.key_file),
                 "ansible_ssh_common_args": ssh_arguments(config.load(directory), gate.address)}  # fmt: skip
    hosts = {group: {"hosts": {"inner": {}}} for group in groups() if group != "worker"}
    hosts["scheduler"]["hosts"]["inner"] = variables
    (directory / "hosts.yml").write_text(yaml.safe_dump(hosts))
    return Cluster(directory, environment)


def test_a_host_behind_a_bastion(make_cluster: Callable[..., Cluster], tmp_path: Path) -> None:
    lab = make_cluster("e2egate", hosts=2)
    gate, inner = Inventory.load(lab.directory).all_hosts
    _lets_in_only(inner.name, gate, lab)
    refused = lab.toolkit("check", expect=2)
    assert f"{inner.name}" in refused.stdout and "lets user" in refused.stdout

    cluster = _behind(gate, inner, tmp_path / "a space" / "prod", lab.environment)
    found = cluster.toolkit("check")
    assert "accepted its host key on first use" in found.stderr
    # OpenSSH, with Ansible and nothing of the toolkit's but the inventory and the accepted keys.
    known = ssh_option(cluster.directory / "known_hosts") + " -o StrictHostKeyChecking=yes"
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible"), "-i", cluster.directory, "inner",
         "-m", "ansible.builtin.command", "-a", "printenv SSH_CONNECTION"],
        capture_output=True, text=True, check=False, cwd=REPOSITORY,
        env=cluster.environment | {"ANSIBLE_SSH_EXTRA_ARGS": known},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].split()[0] == gate.address
    names = {
        line.split()[0] for line in (cluster.directory / "known_hosts").read_text().splitlines()
    }
    assert names == {gate.address, inner.address}

    lab.podman("stop", gate.name, "--time", "0")
    lost = cluster.toolkit("check", expect=2).stdout
    assert f"-W [{inner.address}]:22 {gate.user}@{gate.address}" in lost, lost
