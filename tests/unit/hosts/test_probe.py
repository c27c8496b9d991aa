"""What the probe is asked, and how its answer is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, SINGLE, make_cluster

from toolkit.cluster import vault as secrets
from toolkit.errors import ToolkitError
from toolkit.hosts.external import external_urls
from toolkit.hosts.facts import Facts, Listener
from toolkit.hosts.payload import host_and_port, index_url, payload


def test_facts_from_a_probe_of_another_version() -> None:
    facts = Facts.from_json(
        {"new": 1, "memory": {"total_mb": 5, "new": 2}, "listeners": [{"port": 80, "pid": 1}],
         "packages": {"lock": None, "unfinished": ["a"]}}
    )  # fmt: skip
    assert facts.memory
    assert facts.memory.total_mb == 5
    assert facts.listeners == (Listener(pid=1, port=80),)
    assert facts.packages
    assert (facts.packages.lock, facts.packages.unfinished) == (None, ("a",))
    assert facts.systemd is None


def test_the_clock_offset_is_between_what_the_round_trip_allows() -> None:
    facts = Facts(sent=100.0, received=103.0, clock_start=201.0, clock_end=202.0)
    assert facts.clock_offset == (99.0, 101.0)


def test_a_single_host_is_asked_about_the_index_and_no_peers(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, python_interpreter="/opt/python")
    asked = payload(cluster, cluster.host("h1"), "https://index.example.com/simple", {})
    assert asked["urls"] == [
        {"url": "https://index.example.com/simple/apache-airflow/", "role": "index"}
    ]
    assert asked["ports"] == []
    assert asked["interpreter"] == "/opt/python"


def test_hosts_of_a_cluster_are_asked_about_the_servers_they_need(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, {"d1": {"base_address": "10.9.0.1"}}, redis_port=7000)
    database = {"host": "10.9.0.1", "port": 5432, "role": "metadata_db", "peer": "d1"}
    broker = {"host": "10.9.0.1", "port": 7000, "role": "broker", "peer": "d1"}

    def ports(name: str) -> list[dict[str, Any]]:
        asked: list[dict[str, Any]] = payload(cluster, cluster.host(name), "", {})["ports"]
        return asked

    assert ports("d1") == []
    assert ports("a1") == [database, broker]
    assert ports("w1") == [broker]  # a worker of Airflow 3 has no access to the database
    assert payload(cluster, cluster.host("d1"), "https://index", {})["urls"] == []
    cluster = make_cluster(tmp_path, CELERY, airflow_version="2.11.2")
    assert [port["role"] for port in ports("w1")] == ["metadata_db", "broker"]


def test_external_servers_are_asked_for(tmp_path: Path) -> None:
    cluster = make_cluster(
        tmp_path,
        {"a1": ("scheduler", "webserver"), "w1": ("worker",)},
        metadata_db_url="postgresql+psycopg2://airflow:p%2Fw@db.example.com/airflow",
        broker_url="rediss://:pw@mq.example.com:6380",
    )
    asked = [
        payload(cluster, host, "", external_urls(cluster))["ports"] for host in cluster.all_hosts
    ]
    assert [[(port["host"], port["port"], port["role"]) for port in ports] for ports in asked] == [
        [("db.example.com", 5432, "metadata_db"), ("mq.example.com", 6380, "broker")],
        [("mq.example.com", 6380, "broker")],
    ]


def test_what_the_vault_says_about_an_external_database_counts(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, {"a1": ("scheduler", "webserver")})
    url = "postgresql+psycopg2://airflow:pw@db.example.com/airflow"
    secrets.update(cluster, {"metadata_db_url": url, "metadata_db_ca_certificate": "/etc/ca.pem"})
    assert external_urls(cluster) == {
        "metadata_db": f"{url}?sslmode=verify-full&sslrootcert=%2Fetc%2Fca.pem"
    }
    secrets.update(cluster, {"metadata_db_url": None})
    assert external_urls(cluster) == {}


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mysql+pymysql://u:p@db/airflow", ("db", 3306)),
        ("postgresql://u:p@db:6000/airflow", ("db", 6000)),
        ("redis://:a/b@mq:6379", ("", 0)),
        ("sqlite:////tmp/x.db", ("", 0)),
    ],
)
def test_places_of_urls(url: str, place: tuple[str, int]) -> None:
    assert host_and_port(url) == place


def test_the_index_of_the_settings_wins_over_uv_s(tmp_path: Path) -> None:
    named = "https://user:pw@index.example.com/simple"
    assert index_url(make_cluster(tmp_path, SINGLE, python_index_url=named)) == named


def test_uv_s_own_index_is_not_the_one_configured_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "https://here.example.com/simple")
    index = index_url(make_cluster(tmp_path))
    assert index.startswith("https://")
    assert "here.example.com" not in index


def test_certificates_are_sent_along(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("PEM")
    cluster = make_cluster(tmp_path, base_ca_certificates=["ca.pem"])
    assert payload(cluster, cluster.host("h1"), "", {})["ca_certificates"] == ["PEM"]
    cluster = make_cluster(tmp_path, base_ca_certificates=["none.pem"])
    with pytest.raises(ToolkitError, match=r"none\.pem"):
        payload(cluster, cluster.host("h1"), "", {})
