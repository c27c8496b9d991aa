from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, SINGLE, ids, make_cluster, only

from toolkit import checks as rules
from toolkit.cluster import Cluster
from toolkit.cluster.lock import ensure_lock, wanted_of
from toolkit.cluster.lockfile import LOCK_NAME, pinned, shipped_lock
from toolkit.findings import Finding


def validate_plan(cluster: Cluster) -> list[Finding]:
    """Of this topic; the passwords of these tests are another's."""
    found = rules.validate_plan(cluster)
    return [finding for finding in found if finding.id.startswith("planning.")]


@pytest.mark.parametrize("hosts", [SINGLE, CELERY])
def test_the_samples_have_no_problem(tmp_path: Path, hosts: Any) -> None:
    assert validate_plan(make_cluster(tmp_path, hosts)) == []


def test_celery_without_a_broker(tmp_path: Path) -> None:
    hosts = CELERY | {"d1": ("metadata_db",)}
    finding = only(validate_plan(make_cluster(tmp_path, hosts)), "planning.no_broker")
    assert "w1 and w2" in finding.what


@pytest.mark.parametrize("where", ["inventory", "vault"])
def test_celery_with_an_external_broker(tmp_path: Path, where: str) -> None:
    url = "redis://:secret@redis.example.com:6379"
    settings: dict[str, Any] = {"broker_url": url}
    settings = settings if where == "inventory" else {"vault": settings}
    hosts = CELERY | {"d1": ("metadata_db",)}
    assert validate_plan(make_cluster(tmp_path, hosts, **settings)) == []


def test_no_database_at_all(tmp_path: Path) -> None:
    hosts = {"h1": ("scheduler", "webserver")}
    only(validate_plan(make_cluster(tmp_path, hosts)), "planning.no_metadata_db")


def test_an_external_database(tmp_path: Path) -> None:
    hosts = {"h1": ("scheduler", "webserver")}
    url = "postgresql+psycopg2://airflow:secret@db.example.com/airflow"
    assert validate_plan(make_cluster(tmp_path, hosts, metadata_db_url=url)) == []
    named = make_cluster(tmp_path, hosts, named_groups=["metadata_db"], metadata_db_url=url)
    assert validate_plan(named) == []


def test_a_database_of_ours_and_an_external_one(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, metadata_db_url="postgresql+psycopg2://a:b@db/airflow")
    only(validate_plan(cluster), "planning.two_servers")


def test_two_database_hosts(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, SINGLE | {"h2": ("metadata_db",)})
    finding = only(validate_plan(cluster), "planning.two_servers")
    assert "h1 and h2" in finding.what


@pytest.mark.parametrize("group", ["metadata_db", "broker", "scheduler", "webserver", "worker"])
def test_a_group_that_is_named_but_empty(tmp_path: Path, group: str) -> None:
    groups = tuple(name for name in SINGLE["h1"] if name != group)
    cluster = make_cluster(tmp_path, {"h1": groups}, named_groups=[group])
    finding = only(validate_plan(cluster), "planning.empty_group")
    assert f"group {group} has no hosts" in finding.what
    assert "hosts.yml" in finding.what


@pytest.mark.parametrize("group", ["scheduler", "webserver"])
def test_a_group_that_every_cluster_needs(tmp_path: Path, group: str) -> None:
    groups = tuple(name for name in SINGLE["h1"] if name != group)
    finding = only(validate_plan(make_cluster(tmp_path, {"h1": groups})), "planning.empty_group")
    assert f"there is no group {group}" in finding.what


@pytest.mark.parametrize(
    "settings",
    [
        {"airflow_database_url": "sqlite:////tmp/airflow.db"},
        {"airflow_config": {"database": {"sql_alchemy_conn": "sqlite:////tmp/airflow.db"}}},
        {"airflow_environment": {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////tmp/a.db"}},
    ],
)
@pytest.mark.parametrize(("hosts", "name"), [(SINGLE, "Local"), (CELERY, "Celery")])
def test_sqlite(tmp_path: Path, settings: dict[str, Any], hosts: Any, name: str) -> None:
    cluster = make_cluster(tmp_path, hosts, **settings)
    finding = only(validate_plan(cluster), "planning.sqlite")
    assert f"{name}Executor" in finding.what


def test_sqlite_in_the_vault(tmp_path: Path) -> None:
    vault = {"metadata_db_url": "sqlite:////var/lib/airflow/airflow.db"}
    cluster = make_cluster(tmp_path, {"h1": ("scheduler", "webserver")}, vault=vault)
    only(validate_plan(cluster), "planning.sqlite")


def test_an_option_set_by_hand_is_named_with_file_and_line(tmp_path: Path) -> None:
    config = {"core": {"executor": "CeleryExecutor"}}
    finding = only(
        validate_plan(make_cluster(tmp_path, airflow_config=config)), "planning.executor"
    )
    assert "airflow.yml:1: core.executor in airflow_config is CeleryExecutor" in finding.what
    assert "worker" in finding.fix


@pytest.mark.parametrize(
    "value", ["LocalExecutor", "airflow.executors.local_executor.LocalExecutor"]
)
def test_the_executor_that_the_groups_mean_may_be_named(tmp_path: Path, value: str) -> None:
    cluster = make_cluster(tmp_path, airflow_config={"core": {"executor": value}})
    assert validate_plan(cluster) == []


def test_local_executor_by_hand_with_workers(tmp_path: Path) -> None:
    config = {"core": {"executor": "LocalExecutor"}}
    cluster = make_cluster(tmp_path, CELERY, airflow_config=config)
    only(validate_plan(cluster), "planning.executor")


@pytest.mark.parametrize(
    "settings",
    [
        {"airflow_config": {"core": {"dags_folder": "/srv/dags"}}},
        {"airflow_environment": {"AIRFLOW__CORE__DAGS_FOLDER": "/srv/dags"}},
    ],
)
def test_a_dags_folder_set_by_hand(tmp_path: Path, settings: dict[str, Any]) -> None:
    finding = only(validate_plan(make_cluster(tmp_path, **settings)), "planning.dags_folder")
    assert "airflow.yml:" in finding.what
    assert "airflow_dags_folder: /srv/dags" in finding.fix


def test_a_dags_folder_of_the_setting(tmp_path: Path) -> None:
    assert validate_plan(make_cluster(tmp_path, airflow_dags_folder="/srv/dags")) == []


@pytest.mark.parametrize("url", ["redis://:pw@redis:6379/0", "amqp://guest@mq:5672//"])
def test_a_broker_url_that_does_not_fit(tmp_path: Path, url: str) -> None:
    cluster = make_cluster(tmp_path, CELERY | {"d1": ("metadata_db",)}, broker_url=url)
    finding = only(validate_plan(cluster), "planning.broker_url")
    assert "pw" not in finding.what


def test_two_components_with_one_port(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, airflow_web_port=5432)
    finding = only(validate_plan(cluster), "planning.same_port", "h1")
    assert finding.what == "airflow_web_port (api-server) and postgres_port (postgres) are all 5432"


def test_one_port_on_two_hosts_is_fine(tmp_path: Path) -> None:
    assert validate_plan(make_cluster(tmp_path, CELERY, airflow_web_port=5432)) == []


@pytest.mark.parametrize(("version", "problems"), [("1.10.15", ["planning.release"]),
                                                   ("2.11.2", []), ("3.3.2", [])])  # fmt: skip
def test_release_lines(tmp_path: Path, version: str, problems: list[str]) -> None:
    assert ids(validate_plan(make_cluster(tmp_path, airflow_version=version))) == problems


def test_values_of_a_wrong_type_are_left_to_the_check_of_settings(tmp_path: Path) -> None:
    cluster = make_cluster(
        tmp_path,
        airflow_web_port="eighty",
        airflow_config={"core": "none"},
        airflow_environment=[1],
        airflow_components="webserver",
    )
    assert validate_plan(cluster) == []


@pytest.mark.parametrize(
    ("name", "fix"),
    [("webserver", "write api-server"), ("api-sever", "write api-server"), ("", "remove")],
)
def test_a_component_that_the_release_does_not_have(tmp_path: Path, name: str, fix: str) -> None:
    variables = {"h1": {"airflow_components": ["scheduler", name]}}
    cluster = make_cluster(tmp_path, SINGLE, variables)
    assert fix in only(validate_plan(cluster), "planning.unknown_component", "h1").fix


FOLDER = {"airflow_remote_log_folder": "s3://my-logs/prod"}


def _without_amazon(tmp_path: Path, name: str) -> Path:
    cluster = make_cluster(tmp_path)
    lock = shipped_lock(*wanted_of(cluster))
    assert lock
    path = tmp_path / name
    path.write_text(lock.read_text().replace("apache-airflow-providers-amazon==", "another=="))
    return path


def test_remote_logs_with_a_lock_that_was_made_without(tmp_path: Path) -> None:
    path = _without_amazon(tmp_path, LOCK_NAME)
    assert validate_plan(make_cluster(tmp_path)) == []
    finding = only(validate_plan(make_cluster(tmp_path, **FOLDER)), "planning.remote_logs")
    assert str(path) in finding.what
    assert finding.fix == f"toolkit lock -i {tmp_path}"


def test_remote_logs_with_a_lock_of_the_users_own(tmp_path: Path) -> None:
    path = _without_amazon(tmp_path, "own.lock")
    cluster = make_cluster(tmp_path, **FOLDER, airflow_lock=str(path))
    assert "remove airflow_lock" in only(validate_plan(cluster), "planning.remote_logs").fix


def test_remote_logs_bring_their_provider(tmp_path: Path) -> None:
    extras = {"airflow_extras": ["celery", "fab", "postgres", "redis"]}
    assert "amazon" not in wanted_of(make_cluster(tmp_path, **extras))[1]
    cluster = make_cluster(tmp_path, **extras, **FOLDER)
    assert validate_plan(cluster) == []
    assert "apache-airflow-providers-amazon" in pinned(ensure_lock(cluster))
    assert validate_plan(cluster) == []


@pytest.mark.parametrize(("variables", "found"), [
    ({"base_address": "fd00::5"}, ["planning.address_family"]),
    ({"ansible_host": "2001:db8::5"}, ["planning.address_family"]),
    ({"ansible_host": "2001:db8::5", "base_address": "10.0.0.1"}, []),
    ({"ansible_host": "2001:db8::5", "base_address": "db.example"}, []),
])  # fmt: skip
def test_hosts_that_are_to_reach_each_other_by_ipv6(
    tmp_path: Path, variables: dict[str, str], found: list[str]
) -> None:
    assert ids(validate_plan(make_cluster(tmp_path, CELERY, {"d1": variables}))) == found


def test_a_host_alone_may_be_reached_by_ipv6(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, host_variables={"h1": {"ansible_host": "2001:db8::5"}})
    assert validate_plan(cluster) == []
    assert cluster.web_address == "http://[2001:db8::5]:8080"


@pytest.mark.parametrize(
    ("manager", "number"),
    [
        ("airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager", 1),
        ("airflow.providers.keycloak.auth_manager.keycloak_auth_manager.KeycloakAuthManager", 1),
        ("mine.Manager", 1),
        ("airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager", 0),
    ],
)
def test_the_proof_s_user_is_of_fab(tmp_path: Path, manager: str, number: int) -> None:
    cluster = make_cluster(tmp_path, airflow_config={"core": {"auth_manager": manager}})
    found = [one for one in validate_plan(cluster) if one.id == "planning.auth_manager"]
    assert len(found) == number
    assert all("webserver_config.py" in one.fix for one in found)
