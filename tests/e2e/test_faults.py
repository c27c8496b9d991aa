"""Bad input and sick hosts: a clear error, and nothing changed on the host."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from support.lab_cluster import Cluster

HOST = "e2efault1"
SNAPSHOT = (
    "find /etc /opt /usr/local /var/lib /home /root -xdev -newer /run/before -type f "
    "-not -path '/var/lib/systemd/*' -not -path '/var/lib/sudo/*' -not -path '/etc/shadow*' | sort"
)


@pytest.fixture(scope="module")
def bare(make_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = make_cluster("e2efault")
    cluster.ssh(HOST, "sleep 1; touch /run/before")
    return cluster


@pytest.fixture
def untouched(bare: Cluster) -> Iterator[Cluster]:
    """The bare host; afterwards it has to be as it was."""
    bare.set("")
    before = bare.ssh(HOST, SNAPSHOT)
    yield bare
    bare.set("")
    assert bare.ssh(HOST, SNAPSHOT) == before


def refused(
    cluster: Cluster, *needles: str, arguments: tuple[str, ...] = (), stdin: str = ""
) -> str:
    done = cluster.toolkit("provision", *arguments, expect=2, stdin=stdin)
    said = done.stdout + done.stderr
    for needle in needles:
        assert needle in said, said
    assert "fix:" in said
    return said


@contextmanager
def broken(cluster: Cluster, command: str, mend: str) -> Iterator[None]:
    cluster.podman("exec", HOST, "sh", "-c", command)
    try:
        yield
    finally:
        cluster.podman("exec", HOST, "sh", "-c", mend)


def hosts_with(cluster: Cluster, tmp_path: Path, **changes: object) -> Cluster:
    """A copy of the inventory whose host has other connection variables or groups."""
    copy = replace(cluster, directory=tmp_path / "copy")
    shutil.copytree(cluster.directory, copy.directory)
    path = copy.directory / "hosts.yml"
    data = yaml.safe_load(path.read_text())
    data["all"]["hosts"][HOST] |= {k: v for k, v in changes.items() if k.startswith("ansible_")}
    data |= {k: v for k, v in changes.items() if not k.startswith("ansible_")}
    path.write_text(yaml.safe_dump(data))
    return copy


@pytest.mark.parametrize(
    ("settings", "needles"),
    [
        ("a: 1\nairflow_web_prot: 8081\n", ("airflow.yml:2", "airflow_web_port")),
        ('airflow_web_port: "8080"\n', ("airflow.yml:1", "whole number", "remove the quotes")),
        ("airflow_timezone: Asia/Soul\n", ("airflow.yml:1", "Asia/Seoul")),
        ("airflow_config: {core: {executor: CeleryExecutor}}\n", ("executor",)),
        ("metadata_db_url: sqlite:////var/lib/airflow/airflow.db\n", ("SQLite",)),
        ("airflow_config: [\n", ("airflow.yml", "YAML")),
        ("airflow_version: 9.9.9\n", ("9.9.9",)),
    ],
)
def test_wrong_settings(untouched: Cluster, settings: str, needles: tuple[str, ...]) -> None:
    untouched.set(settings)
    refused(untouched, *needles)


def test_workers_without_a_broker(untouched: Cluster, tmp_path: Path) -> None:
    refused(hosts_with(untouched, tmp_path, worker={"hosts": {HOST: None}}), "broker")


def test_empty_group(untouched: Cluster, tmp_path: Path) -> None:
    refused(hosts_with(untouched, tmp_path, worker={"hosts": {}}), "worker")


def test_unreachable(untouched: Cluster, tmp_path: Path) -> None:
    refused(hosts_with(untouched, tmp_path, ansible_port=1), HOST)


def test_wrong_key(untouched: Cluster, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    other = hosts_with(untouched, tmp_path, ansible_ssh_private_key_file=str(key))
    refused(other, HOST, str(key))


def test_key_that_others_can_read(untouched: Cluster, tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    key.chmod(0o644)
    other = hosts_with(untouched, tmp_path, ansible_ssh_private_key_file=str(key))
    refused(other, f"chmod 600 {key}")


def test_changed_host_key(untouched: Cluster, tmp_path: Path) -> None:
    other = hosts_with(untouched, tmp_path)
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    known = other.directory / "known_hosts"
    address = known.read_text().split()[0]
    known.write_text(f"{address} {' '.join(key.with_suffix('.pub').read_text().split()[:2])}\n")
    refused(other, "ssh-keygen", "-R")


def test_no_sudo(untouched: Cluster) -> None:
    with broken(untouched, "mv /etc/sudoers.d/admin /root/sudoers",
                "mv /root/sudoers /etc/sudoers.d/admin"):  # fmt: skip
        refused(untouched, "sudo")


def test_sudo_that_asks_for_a_password(untouched: Cluster) -> None:
    rule = "admin ALL=(ALL) ALL"
    with broken(
        untouched,
        f"cp -p /etc/sudoers.d/admin /root/sudoers; echo '{rule}' > /etc/sudoers.d/admin; echo admin:s3cretpass | chpasswd",
        "cp -p /root/sudoers /etc/sudoers.d/admin; rm /root/sudoers; passwd -l admin >/dev/null",
    ):
        refused(untouched, "-K")
        refused(untouched, "password", arguments=("-K",), stdin="wrong-password\n")
        done = untouched.toolkit("provision", "--check", "-K", stdin="s3cretpass\n")
        assert "nothing was changed" in done.stdout


def test_no_python(untouched: Cluster) -> None:
    with broken(untouched, "cd /usr/bin; for p in python3*; do mv $p off-$p; done",
                "cd /usr/bin; for p in off-python3*; do mv $p ${p#off-}; done"):  # fmt: skip
        refused(untouched, "Python", "install")


def test_unsupported_distribution(untouched: Cluster) -> None:
    with broken(untouched, "cp /usr/lib/os-release /run/os; sed -i 's/^VERSION_ID=.*/VERSION_ID=\"9\"/' /usr/lib/os-release",
                "cp /run/os /usr/lib/os-release"):  # fmt: skip
        refused(untouched, HOST, "Debian")


def test_disk_full(untouched: Cluster) -> None:
    with broken(untouched, "mount -t tmpfs -o size=50m tmpfs /opt", "umount /opt"):
        refused(untouched, "/opt", "MB")


def test_port_taken(untouched: Cluster) -> None:
    with broken(untouched, "systemd-run --unit=squatter python3 -m http.server 8793; sleep 1",
                "systemctl stop squatter"):  # fmt: skip
        refused(untouched, "8793", "squatter")


def test_check_tells_the_same_without_starting(untouched: Cluster) -> None:
    assert "0 error(s)" in untouched.toolkit("check").stdout
    with broken(untouched, "systemd-run --unit=squatter python3 -m http.server 8793; sleep 1",
                "systemctl stop squatter"):  # fmt: skip
        told = untouched.json("check", expect=2)
        assert [finding["id"] for finding in told["findings"]] == ["ports.taken"]
        untouched.toolkit("check", "--skip", "ports.taken")
    untouched.set("airflow_web_prot: 1\n")
    assert "airflow_web_port" in untouched.toolkit("check", expect=2).stdout


def test_index_unreachable(untouched: Cluster) -> None:
    untouched.set("python_index_url: http://127.0.0.1:9/simple\n")
    refused(untouched, "127.0.0.1:9", "python_index_url")


def test_check_mode_on_a_bare_host_changes_nothing(untouched: Cluster, tmp_path: Path) -> None:
    fresh = hosts_with(untouched, tmp_path)
    (fresh.directory / "group_vars/all/vault.yml").unlink(missing_ok=True)
    (fresh.directory / "airflow.lock").unlink(missing_ok=True)
    files = sorted(fresh.directory.rglob("*"))
    done = fresh.toolkit("provision", "--check")
    assert "postgresql" in done.stdout
    assert "nothing was changed" in done.stdout
    assert sorted(fresh.directory.rglob("*")) == files


def test_no_hosts_given(tmp_path: Path) -> None:
    nowhere = Cluster(tmp_path / "none", dict(os.environ))
    done = nowhere.toolkit("provision", expect=2)
    assert "toolkit init" in done.stderr
