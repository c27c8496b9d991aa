"""Ways to log in and to become root: passwords, su, jump hosts of an SSH configuration, no SSH at all."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.lab_cluster import REPOSITORY, TIMEOUT, Cluster
from support.saved_clusters import Provisioned

from toolkit.cluster import Cluster as Inventory

LOGIN, ROOT, SUDO = "of-the-login-9", "of-root-9", "of-sudo-9"
INI = """
[metadata_db]
inner ansible_ssh_host=inner ansible_ssh_pass={login} ansible_become_method={method}
[scheduler]
inner
[webserver]
inner
[all:vars]
ansible_ssh_common_args='-F {config}'
{more}
"""
LOCAL = """
metadata_db: {hosts: {gate: }}
scheduler: {hosts: {gate: {ansible_connection: local, ansible_become_pass: PASSWORD}}}
webserver: {hosts: {gate: {base_address: ADDRESS}}}
"""


@dataclass(frozen=True)
class Setup:
    """A provisioned host behind another one, which is bare and has the toolkit later."""

    inner: Provisioned
    gate: Cluster
    directory: Path

    @property
    def gate_address(self) -> str:
        return Inventory.load(self.gate.directory).all_hosts[0].address

    def inventory(
        self, name: str, more: str = "", method: str = "su", login: str = LOGIN
    ) -> Cluster:
        """An inventory that knows the inner host by the SSH configuration alone, with its vault."""
        (host,) = Inventory.load(self.inner.directory).all_hosts
        text = INI.format(login=login, method=method, config=self.directory / "config", more=more)
        made = self.inner.directory.with_name(name)
        subprocess.run(["cp", "-r", self.inner.directory, made], check=True)
        (made / "hosts.yml").unlink()
        (made / "hosts.ini").write_text(text)
        (made / "known_hosts").unlink()
        (made / "group_vars/all/address.yml").write_text(f"base_address: {host.base_address}\n")
        return Cluster(made, self.inner.environment)


@pytest.fixture(scope="module")
def gate(make_cluster: Callable[..., Cluster]) -> Cluster:
    """A bare host."""
    return make_cluster("e2egateway")


@pytest.fixture(scope="module")
def setup(single: Provisioned, gate: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Setup:
    """Both hosts with passwords; the inner one lets in nobody but the gate, and no key."""
    directory = tmp_path_factory.mktemp("ssh")
    (host,) = Inventory.load(single.directory).all_hosts
    (door,) = Inventory.load(gate.directory).all_hosts
    (directory / "config").write_text(f"Include {directory}/config.d/*\nHost *\n  User nobody\n")
    (directory / "config.d").mkdir()
    (directory / "config.d" / "lab").write_text(
        f"Host inner\n  HostName {host.address}\n  User {host.user}\n  ProxyJump {door.user}@gate\n"
        f"  HostKeyAlias the-inner-one\n"
        f"Match originalhost gate\n  HostName {door.address}\n  IdentityFile {door.key_file}\n"
    )
    single.ssh(host.name, f"printf '%s\\n' root:{ROOT} {host.user}:{LOGIN} | chpasswd")
    rule = f"Match Address *,!{door.address}\\n  DenyUsers *\\nMatch all\\n  PubkeyAuthentication no\\n"
    single.ssh(host.name, f"rm /etc/sudoers.d/{host.user}; printf '{rule}' > /etc/ssh/sshd_config.d/gate.conf; "
               "systemctl reload ssh")  # fmt: skip
    return Setup(single, gate, directory)


def by_id(cluster: Cluster, *arguments: str, expect: int = 2) -> dict[str, dict[str, str]]:
    """The findings of a check by their ids."""
    found = cluster.json("check", *arguments, expect=expect)
    return {finding["id"]: finding for finding in found["findings"]}


@pytest.mark.scenario
def test_what_is_missing_or_wrong_is_said_of_the_right_password(setup: Setup) -> None:
    missing = by_id(setup.inventory("missing"))["access.sudo_password"]
    assert "su asks for root's password" in missing["what"]
    assert "-K" in missing["fix"]
    wrong = by_id(setup.inventory("wrong", "ansible_su_pass=not-this-one"))
    assert "of root" in wrong["access.wrong_sudo_password"]["what"]
    login = by_id(setup.inventory("login", login="not-this-one"))["access.auth"]
    assert "-F" in login["fix"]
    assert "inner" in login["fix"]
    sudo = by_id(setup.inventory("sudo", f"ansible_sudo_pass={LOGIN}", method="sudo"))
    assert "access.no_sudo" in sudo


@pytest.mark.scenario
def test_ansible_goes_the_same_way(setup: Setup) -> None:
    """su with a password, a login with one, and ProxyJump through a host of the configuration."""
    cluster = setup.inventory("su", f"ansible_become_pass={ROOT}\nansible_become_user=root")
    done = cluster.toolkit("provision", "--no-verify")
    assert "0 changes" in done.stdout
    names = (cluster.directory / "known_hosts").read_text().split()[::3]
    assert sorted(names) == sorted([setup.gate_address, "the-inner-one"])
    run = (cluster.last_run() / "ansible.log").read_text() + done.stdout + done.stderr
    assert ROOT not in run
    assert LOGIN not in run
    assert cluster.toolkit("airflow", "--", "version").stdout.strip() == "3.3.2"
    plain = cluster.toolkit("provision", "--no-verify", TOOLKIT_STRATEGY="free")
    assert "0 changes" in plain.stdout


@pytest.mark.extended
def test_the_machine_that_one_sits_on(gate: Cluster, tmp_path: Path) -> None:
    """The toolkit as it is released, on the gate: no SSH, and sudo with a password."""
    (door,) = Inventory.load(gate.directory).all_hosts
    _install(gate, tmp_path)
    gate.ssh(door.name, f"printf '%s\\n' {door.user}:{SUDO} | chpasswd")
    text = LOCAL.replace("PASSWORD", SUDO).replace("ADDRESS", door.address)
    (tmp_path / "hosts.yml").write_text(text)
    _copy(gate, tmp_path / "hosts.yml", "here/hosts.yml")
    gate.ssh(door.name, f"echo '{door.user} ALL=(ALL:ALL) ALL' > /etc/sudoers.d/{door.user}")

    done = _there(gate, "tk/bin/toolkit provision -i here")
    assert "the canary DAG ran" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0
    assert SUDO not in done.stdout + done.stderr
    assert not _there(gate, "cat here/known_hosts").stdout
    again = _there(gate, "tk/bin/toolkit provision -i here --no-verify")
    assert "0 changes" in again.stdout, again.stdout + again.stderr
    asked = _there(gate, "tk/bin/toolkit airflow -i here -- version; tk/bin/toolkit status -i here")
    assert "3.3.2" in asked.stdout
    assert "active (running)" in asked.stdout
    refused = _there(
        gate,
        "cp -r here other && sed -i 's/ansible_become_pass: [^}]*/ansible_become: false/' other/hosts.yml"
        " && tk/bin/toolkit check -i other",
    )
    assert refused.returncode == 2
    assert "forbids user" in refused.stderr
    assert "hosts.yml:3" in refused.stderr


def _there(gate: Cluster, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command on the gate as its user, who has the toolkit there."""
    (door,) = Inventory.load(gate.directory).all_hosts
    return subprocess.run(
        ["ssh", *_ssh(gate), f"{door.user}@{door.address}", command],
        capture_output=True, text=True, check=False, timeout=TIMEOUT,
    )  # fmt: skip


def _ssh(gate: Cluster) -> list[str]:
    (door,) = Inventory.load(gate.directory).all_hosts
    return ["-i", str(door.key_file), "-o", f"UserKnownHostsFile={gate.directory / 'known_hosts'}"]


def _copy(gate: Cluster, source: Path, target: str) -> None:
    (door,) = Inventory.load(gate.directory).all_hosts
    assert _there(gate, f"mkdir -p $(dirname {target})").returncode == 0
    there = f"{door.user}@{door.address}:{target}"
    subprocess.run(["scp", "-q", *_ssh(gate), source, there], check=True, timeout=TIMEOUT)


def _install(gate: Cluster, scratch: Path) -> None:
    """Build the wheel and install it there with uv."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "build", "--wheel", "--quiet", "--no-build-isolation", "--python", sys.executable, "-o", scratch],
                   cwd=REPOSITORY, check=True, timeout=TIMEOUT)  # fmt: skip
    (wheel,) = scratch.glob("*.whl")
    _copy(gate, uv, "uv")
    _copy(gate, wheel, wheel.name)
    done = _there(gate, "export UV_SYSTEM_CERTS=1; ./uv venv --quiet --python /usr/bin/python3 tk && "
                        f"./uv pip install --quiet --python tk/bin/python ./{wheel.name}")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
