"""Files, servers and addresses that settings name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import ids, make_cluster, only

from toolkit.checks import addresses
from toolkit.cluster import Cluster


def made(directory: Path, *arguments: Any, **settings: Any) -> Cluster:
    directory.mkdir(exist_ok=True)
    return make_cluster(directory, *arguments, **settings)


WORKERS = {"a1": ("scheduler", "webserver"), "w1": ("worker",), "w2": ("worker",)}
DB = "postgresql+psycopg2://u:p@{}/airflow"


@pytest.mark.parametrize(
    "settings",
    [
        {"airflow_lock": "/nosuch.lock"},
        {"base_ca_certificates": ["/nosuch.pem"]},
        {"metadata_db_ca_certificate": "nosuch.pem"},
        {"mysql_repository_key": "/"},
    ],
)
def test_files_are_on_this_machine(tmp_path: Path, settings: dict[str, Any]) -> None:
    cluster = make_cluster(tmp_path, **settings)
    problem = only(addresses.files(cluster), "addresses.no_file")
    assert next(iter(settings)) in problem.what
    assert "airflow.yml:" in problem.what


def test_a_file_may_be_beside_the_inventory(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, airflow_lock="mine.lock", base_ca_certificates=[__file__])
    (cluster.directory / "mine.lock").touch()
    assert list(addresses.files(cluster)) == []


@pytest.mark.parametrize("server", ["localhost", "127.0.0.1:5432", "[::1]", "127.1.2.3"])
def test_localhost_is_another_machine_for_each_host(tmp_path: Path, server: str) -> None:
    url = DB.format(server)
    found = list(
        addresses.local_servers(
            make_cluster(tmp_path, WORKERS, metadata_db_url=url, airflow_version="2.11.2")
        )
    )
    assert ids(found) == ["addresses.local_server"]
    assert ":p@" not in found[0].what
    assert list(addresses.local_servers(made(tmp_path / "b", metadata_db_url=url))) == []
    right = made(tmp_path / "c", WORKERS, metadata_db_url=DB.format("db.example.com"))
    assert list(addresses.local_servers(right)) == []


def test_libpq_options_are_refused_where_asyncpg_gets_them(tmp_path: Path) -> None:
    url = DB.format("h") + "?sslmode=require"
    for version, number in (("3.3.2", 1), ("2.11.2", 0)):
        cluster = made(tmp_path / version, metadata_db_url=url, airflow_version=version)
        assert len(list(addresses.encryption(cluster))) == number


def test_a_web_server_on_loopback_has_no_tasks_elsewhere(tmp_path: Path) -> None:
    alone = make_cluster(tmp_path, airflow_web_host="127.0.0.1")
    assert list(addresses.web_server(alone)) == []
    for version, number in (("3.3.2", 1), ("2.11.2", 0)):
        cluster = made(
            tmp_path / version, WORKERS, airflow_web_host="localhost", airflow_version=version
        )
        assert len(list(addresses.web_server(cluster))) == number


def test_ipv6_alone_is_not_for_an_address_of_ipv4(tmp_path: Path) -> None:
    assert len(list(addresses.web_server(make_cluster(tmp_path, airflow_web_host="::")))) == 1
