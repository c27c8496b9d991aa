"""What tasks may do: kinds of ordinary code at the default, and folders elsewhere under strict."""

from __future__ import annotations

import pytest
import yaml
from support.saved_clusters import Provisioned
from support.task_code import kinds

HOST = "e2eone1"


def test_kinds_of_task_code(single: Provisioned) -> None:
    found = kinds(single, HOST, print)
    assert len(found) >= 38
    wrong = [one for one in found if not one.is_right]
    assert not wrong, wrong


def test_an_option_that_systemd_does_not_know_is_refused(single: Provisioned) -> None:
    single.set(yaml.safe_dump({"airflow_unit_options": {"MemoryDenyWriteExec": "no", "Nice": 500}}))
    found = single.json("check", expect=2)["findings"]
    said = [one["what"] for one in found if one["id"] == "units.option"]
    assert [what.split()[0] for what in said] == ["MemoryDenyWriteExec", "Nice"]


def test_a_folder_that_is_closed_is_refused_with_the_command_that_opens_it(
    single: Provisioned,
) -> None:
    single.ssh(HOST, "useradd -m ann; install -d -o ann /home/ann/dags; chmod 700 /home/ann")
    single.set(yaml.safe_dump({"airflow_dags_folder": "/home/ann/dags"}))
    found = {one["id"]: one for one in single.json("check", expect=2)["findings"]}
    command = found["units.unreadable"]["fix"].partition(",")[0]
    assert command == "sudo chmod o+x /home/ann"
    single.ssh(HOST, command)


@pytest.mark.extended
def test_folders_elsewhere_work_under_strict(single: Provisioned) -> None:
    single.ssh(
        HOST,
        'sed \'s/"toolkit_canary"/"anns"/\' /var/lib/airflow/dags/toolkit/toolkit_canary.py > /home/ann/dags/anns.py',
    )
    settings = {
        "airflow_hardening": "strict",
        "airflow_dags_folder": "/home/ann/dags",
        "airflow_config": {"logging": {"base_log_folder": "/srv/logs"}},
        "airflow_writable_paths": ["/srv/out"],
        "airflow_unit_options": {"ReadWritePaths": "-/srv/more", "Environment": ["A=1", '"B=two words"']},
    }  # fmt: skip
    single.set(yaml.safe_dump(settings))
    single.toolkit("provision")
    unit = single.ssh(
        HOST, "systemctl show airflow-scheduler -p ReadWritePaths -p ProtectHome -p PrivateTmp"
    )
    for path in ("/var/lib/airflow", "/srv/out", "/srv/logs", "/srv/more"):
        assert path in unit
    assert "ProtectHome=read-only" in unit
    assert "PrivateTmp=yes" in unit
    assert "dag_id=toolkit_canary" in single.ssh(HOST, "ls /srv/logs")
    single.reserialize(HOST)
    assert "anns" in single.ssh(HOST, "airflow dags list")
    assert single.json("provision", "--no-verify")["changes"] == []


@pytest.mark.extended
def test_off_and_back(single: Provisioned) -> None:
    single.set("airflow_hardening: off\n")
    single.toolkit("provision", "--no-verify")
    show = "systemctl show airflow-scheduler -p NoNewPrivileges -p ReadWritePaths -p Environment"
    assert "NoNewPrivileges=no" in single.ssh(HOST, show)
    single.set("")
    single.toolkit("provision", "--no-verify")
    found = single.ssh(HOST, show)
    assert "NoNewPrivileges=yes" in found
    assert "/srv" not in found
    assert "A=1" not in found
