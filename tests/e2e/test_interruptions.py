"""Killed anywhere, then run again: it finishes, and the host is as if nothing had happened."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.lab_cluster import TOOLKIT, Cluster

pytestmark = pytest.mark.scenario
HOST = "e2ekill1"


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    return make_cluster("e2ekill")


def interrupt(cluster: Cluster, sign: str, how: signal.Signals) -> subprocess.Popen[str]:
    """Start a provision and send it a signal as soon as its progress shows a sign."""
    process = subprocess.Popen(
        [TOOLKIT, "provision", "-i", str(cluster.directory), "--verbose"],
        env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stderr
    if sign:
        for line in process.stderr:
            if sign in line:
                break
        else:
            pytest.fail(f"{sign} never came")
    else:
        time.sleep(0.4)
    process.send_signal(how)
    return process


def test_second_provision_at_once_is_told_who_holds_the_lock(cluster: Cluster) -> None:
    first = subprocess.Popen(
        [TOOLKIT, "provision", "-i", str(cluster.directory)],
        env=cluster.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert first.stderr
    try:
        first.stderr.readline()
        done = cluster.toolkit("provision", expect=2)
        assert f"process {first.pid}" in done.stderr
        first.send_signal(signal.SIGINT)
        stdout, _ = first.communicate(timeout=60)
    finally:
        first.kill()  # or it would hold the lock in every test that follows
    assert first.returncode == 130
    assert "continue with" in stdout


def test_another_control_machine_is_told_who_works_on_the_cluster(
    cluster: Cluster, tmp_path: Path
) -> None:
    first = interrupt(cluster, ": airflow: ", signal.SIGCONT)  # it goes on
    try:
        shutil.copytree(cluster.directory, tmp_path / "theirs")
        theirs = Cluster(
            tmp_path / "theirs", cluster.environment | {"XDG_STATE_HOME": str(tmp_path / "state")}
        )
        done = theirs.toolkit("provision", expect=2)
        assert "works on this cluster, for " in done.stderr
        assert f"toolkit provision -i {cluster.directory}" in done.stderr
        first.send_signal(signal.SIGINT)
        first.communicate(timeout=60)
    finally:
        first.kill()
    assert "provision: interrupted" in cluster.ssh(HOST, "journalctl -t airflow-toolkit -o cat")
    assert "lease.json" not in cluster.ssh(HOST, "ls /run/airflow-toolkit").split()


@pytest.mark.parametrize(
    "sign",
    ["", "inventory read", ": airflow: ", ": postgres: ", "installed and configured",
     "database migrated", "units started"],
)  # fmt: skip
def test_killed(cluster: Cluster, sign: str) -> None:
    process = interrupt(cluster, sign, signal.SIGKILL)
    process.wait(timeout=10)
    assert process.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 20
    while _ansible_running(cluster.directory):
        assert time.monotonic() < deadline, "ansible-playbook outlived the toolkit"
        time.sleep(0.2)


def _ansible_running(directory: Path) -> bool:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if (entry / "ns/pid").readlink() != Path("/proc/self/ns/pid").readlink():
                    continue  # on a lab host: what Ansible left to itself there goes on
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            names = [part.rpartition(b"/")[2] for part in command[:2]]
            if b"ansible-playbook" in names and str(directory).encode() in command:
                return True
    return False


def test_ctrl_c_ends_cleanly(cluster: Cluster) -> None:
    process = interrupt(cluster, ": postgres: ", signal.SIGINT)
    stdout, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "continue with: toolkit provision" in stdout
    assert not _ansible_running(cluster.directory)


def test_run_again_finishes_and_leaves_nothing_to_do(cluster: Cluster) -> None:
    assert cluster.json("provision")["ok"]
    assert cluster.json("provision", "--no-verify")["changes"] == []
    assert cluster.json("status")["ok"]
    done = subprocess.run([TOOLKIT, "runs", "--json"], env=cluster.environment,
                          capture_output=True, text=True, check=True)  # fmt: skip
    results = [run["result"] for run in json.loads(done.stdout)]
    assert results.count("killed") >= 5
    assert results[0] == "succeeded"
