from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import good_facts, ids, make_cluster, only, probe_of

from toolkit import checks as rules
from toolkit.cluster import Cluster
from toolkit.findings import Finding
from toolkit.hosts.facts import Airflow


def of_plan(cluster: Cluster) -> list[Finding]:
    return [one for one in rules.validate_plan(cluster) if one.id.startswith("units.")]


def of_hosts(cluster: Cluster, **facts: Any) -> list[Finding]:
    found = rules.validate_hosts(cluster, probe_of(cluster, h1=good_facts(**facts)))
    return [one for one in found if one.id.startswith("units.")]


def test_nothing_is_wrong_with_defaults(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    assert of_plan(cluster) == of_hosts(cluster) == []


@pytest.mark.parametrize("option", ["User", "ExecStart", "Type"])
def test_options_that_belong_to_the_role(tmp_path: Path, option: str) -> None:
    cluster = make_cluster(tmp_path, airflow_unit_options={option: "x", "Nice": 5})
    found = only(of_plan(cluster), "units.own_option")
    assert option in found.what
    assert "airflow.yml" in found.what


@pytest.mark.parametrize(
    ("level", "wrong"), [("off", False), (False, False), ("tasks", True), ("strict", True)]
)
def test_impersonation_needs_rights(tmp_path: Path, level: Any, wrong: bool) -> None:
    config = {"core": {"default_impersonation": "alice"}}
    cluster = make_cluster(tmp_path, airflow_config=config, airflow_hardening=level)
    assert ids(of_plan(cluster)) == ["units.impersonation"] * wrong


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"airflow_dags_folder": "/tmp/dags"}, "/tmp/dags"),
        ({"airflow_writable_paths": ["/var/tmp/x"]}, "/var/tmp/x"),
        ({"airflow_config": {"logging": {"base_log_folder": "/run/logs"}}}, "/run/logs"),
        ({"airflow_dags_folder": "/srv/tmp/dags"}, ""),
    ],
)
def test_directories_that_are_emptied(tmp_path: Path, settings: Any, path: str) -> None:
    found = of_plan(make_cluster(tmp_path, **settings))
    assert [one.what.split()[0] for one in found] == [path] * bool(path)


@pytest.mark.parametrize(
    ("above", "fix"),
    [
        ("/home/ann", "sudo chmod o+x /home/ann,"),
        ("/home/ann/dags", "sudo chmod o+rx /home/ann/dags,"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, above: str, fix: str) -> None:
    found = only(
        of_hosts(make_cluster(tmp_path), unreadable={"/home/ann/dags": above}),
        "units.unreadable",
        "h1",
    )
    assert fix in found.fix
    assert "/home/ann/dags" in found.what


@pytest.mark.parametrize(
    ("ours", "fix"), [(True, "setfacl -m u:airflow:rwx /data"), (False, "chmod o+wx /data")]
)
def test_what_cannot_be_written(tmp_path: Path, ours: bool, fix: str) -> None:
    facts = {"unwritable": {"/data": "/data"}, "airflow": Airflow(ours=ours)}
    found = only(of_hosts(make_cluster(tmp_path), **facts), "units.unwritable", "h1")
    assert fix in found.fix
    assert "/data/airflow" in found.fix


def test_what_systemd_does_not_know(tmp_path: Path) -> None:
    said = (("MemoryDenyWriteExec", "Unknown key"),)
    found = only(of_hosts(make_cluster(tmp_path), unit_options=said), "units.option", "h1")
    assert "MemoryDenyWriteExec" in found.what
