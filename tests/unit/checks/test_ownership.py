"""Whose host it is, what of others is in the way, and what base_adopt may name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts, validate_plan
from toolkit.cluster.ownership import wanted
from toolkit.findings import Finding
from toolkit.hosts.database import Examined
from toolkit.hosts.ownership import Claim, Member, Thing

THEIRS = Claim(
    id="22bb", cluster="prod", by="deploy@ops1", origin="/srv/prod", at="2026-11-26T16:58:38Z"
)


def of_topic(found: list[Finding]) -> list[Finding]:
    return [finding for finding in found if finding.id.startswith("ownership.")]


@pytest.mark.parametrize("vault", [{}, {"base_cluster_id": "11aa"}])
def test_another_cluster_s_host(tmp_path: Path, vault: dict[str, str]) -> None:
    cluster = make_cluster(tmp_path, **vault)
    found = validate_hosts(cluster, probe_of(cluster, h1=good_facts(claim=THEIRS)))
    finding = only(found, "ownership.other_cluster", "h1")
    for words in ("cluster prod", "id 22bb", "deploy@ops1", "/srv/prod", "2026-11-26T16:58:38Z"):
        assert words in finding.what
    assert f"toolkit secrets recover -i {tmp_path}" in finding.fix
    assert not finding.remedy


def test_ours_and_nobody_s(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, base_cluster_id="22bb")
    for claim in (THEIRS, Claim()):
        assert validate_hosts(cluster, probe_of(cluster, h1=good_facts(claim=claim))) == []


def test_a_broken_list(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    facts = good_facts(claim=Claim(broken="cluster.json is broken; fix: restore it"))
    finding = only(validate_hosts(cluster, probe_of(cluster, h1=facts)), "ownership.broken", "h1")
    assert (finding.what, finding.fix) == ("cluster.json is broken", "restore it")


def test_all_that_is_in_the_way(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    things = (Thing("user:airflow", "user airflow is there", "stop them"),
              Thing("/etc/airflow", "a directory"), Thing("airflow-worker.service", "a unit"))  # fmt: skip
    facts = good_facts(claim=Claim(things=things, backups="/var/backups/x"))
    found = validate_hosts(cluster, probe_of(cluster, h1=facts))
    assert ids(found) == ["ownership.in_the_way", "ownership.existing", "ownership.existing"]
    assert found[0].fix == "stop them"
    assert "/var/backups/x: base_adopt: [/etc/airflow, airflow-worker.service]" in found[1].fix
    assert not any(finding.remedy for finding in found)


@pytest.mark.parametrize(("user", "refused"), [("airflow", True), ("admin", False)])
def test_the_service_user_is_nobody_s_login(tmp_path: Path, user: str, refused: bool) -> None:
    cluster = make_cluster(tmp_path, ansible_user=user)
    assert ids(of_topic(validate_plan(cluster))) == ["ownership.login_user"] * refused


def test_on_a_host_without_airflow_that_user_is_any_user(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, {"d1": {"ansible_user": "airflow"}})
    assert of_topic(validate_plan(cluster)) == []


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("airflow-scheduler.service", True),
        ("airflow.slice", True),
        ("user:airflow", True),
        ("group:airflow", True),
        ("/var/lib/airflow/dags", True),
        ("/etc/postgresql/15/main/conf.d/airflow-toolkit.conf", True),
        ("/etc", False),
        ("/home/airflow", False),
        ("airflow-backup.service", False),
        ("airflow-worker.service", False),
        ("airflow", False),
        ("user:admin", False),
    ],
)
def test_what_may_be_taken_over(tmp_path: Path, name: str, right: bool) -> None:
    cluster = make_cluster(tmp_path, base_adopt=[name])
    found = of_topic(validate_plan(cluster))
    assert ids(found) == ["ownership.adopt"] * (not right)
    assert all(name in finding.what for finding in found)


def test_each_host_gets_its_own(tmp_path: Path) -> None:
    certificate = tmp_path / "corporate.pem"
    certificate.write_text("x")
    cluster = make_cluster(
        tmp_path,
        CELERY,
        base_ca_certificates=["corporate.pem"],
        airflow_dags_folder="/srv/dags",
    )
    things: dict[str, Any] = {host.name: wanted(cluster, host) for host in cluster.all_hosts}
    assert things["d1"]["users"] == {} and things["d1"]["units"] == []
    assert "airflow-worker.service" in things["w1"]["units"]
    assert "airflow-scheduler.service" not in things["w1"]["units"]
    assert things["w1"]["links"]["/var/lib/airflow/dags/current"] == "/srv/dags"
    paths = {
        name: [entry["path"] for entry in found.get("files", ())] for name, found in things.items()
    }
    assert "/etc/redis/airflow-toolkit.conf" in paths["d1"]
    assert "/etc/redis/airflow-toolkit.conf" not in paths["w1"]
    assert all(
        "/usr/local/share/ca-certificates/corporate.crt" in paths[name] for name in ("d1", "w1")
    )


@pytest.mark.parametrize(
    ("name", "in_use", "reached", "severity"),
    [
        ("old", True, False, "error"),
        ("old", True, True, "warning"),  # database.moved knows more
        ("old", False, False, "warning"),
        ("h1", True, False, None),
    ],
)
def test_a_server_that_is_to_be_elsewhere(
    tmp_path: Path, name: str, in_use: bool, reached: bool, severity: str | None
) -> None:
    cluster = make_cluster(tmp_path, base_cluster_id="22bb")
    # A broker of the same host that is needed no more is nobody's new server.
    members = {name: Member("203.0.113.99", 22, "ubuntu", ("metadata_db", "broker"))}
    claim = Claim(id="22bb", cluster="prod", members=members)
    probe = replace(
        probe_of(cluster, h1=good_facts(claim=claim)),
        database=Examined(in_use=in_use, reached=reached),
    )
    found = [one for one in validate_hosts(cluster, probe) if one.id == "ownership.moved_server"]
    assert [one.severity.value for one in found] == ([severity] if severity else [])
    assert all("that was old" in one.what for one in found)
