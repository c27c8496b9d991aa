"""A provisioned host, provisioned again: nothing changes but what was broken or set."""

from __future__ import annotations

import os
import subprocess

import pytest
from support.lab_cluster import REPOSITORY
from support.saved_clusters import Provisioned, wait_for_heartbeats

HOST = "e2eone1"


def test_second_provision_changes_nothing(single: Provisioned) -> None:
    result = single.json("provision", "--no-verify")
    assert result["ok"]
    assert result["changes"] == []


def test_check_mode_finds_nothing_to_change(single: Provisioned) -> None:
    result = single.json("provision", "--check")
    assert result["changes"] == []


@pytest.mark.extended
def test_plain_pipelining_does_the_same_as_mitogen(single: Provisioned) -> None:
    result = single.json("provision", "--no-verify", TOOLKIT_STRATEGY="free")
    assert result["ok"]
    assert result["changes"] == []


def test_plain_ansible_playbook_does_the_same(single: Provisioned) -> None:
    command = single.toolkit("provision", "--print-command").stdout
    done = subprocess.run(
        command.strip(), shell=True, cwd=REPOSITORY, capture_output=True, text=True,
        env=os.environ | {"ANSIBLE_CONFIG": str(REPOSITORY / "ansible.cfg")}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=0" in done.stdout


def test_a_stopped_unit_is_seen_and_mended(single: Provisioned) -> None:
    single.ssh(HOST, "systemctl stop airflow-triggerer")
    status = single.json("status", expect=1)
    assert {r["component"]: r["state"] for r in status["rows"]}["triggerer"] == "inactive"
    single.json("provision", "--no-verify")
    wait_for_heartbeats(single)  # and until it listens


def test_a_changed_setting_restarts_and_still_verifies(single: Provisioned) -> None:
    single.set(
        "airflow_timezone: Asia/Seoul\nairflow_config: {core: {max_active_runs_per_dag: 4}}\n"
    )
    assert single.json("provision")["ok"]
    value = single.toolkit(
        "airflow", "--", "config", "get-value", "core", "max_active_runs_per_dag"
    )
    assert value.stdout.strip().splitlines()[-1] == "4"
