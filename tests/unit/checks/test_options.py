from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from airflow_plan import configuration
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.preflight_data import ids, make_cluster, only

from toolkit.checks.options import known, options
from toolkit.findings import Severity

BOTH = ("2.11.2", "3.3.2")


def found(directory: Path, version: str = "3.3.2", **chosen: Any) -> list[Any]:
    return list(options(make_cluster(directory, airflow_version=version, **chosen)))


def one(directory: Path, section: str, option: str, value: Any = "x", **more: Any) -> list[Any]:
    return found(directory, airflow_config={section: {option: value}}, **more)


@pytest.mark.parametrize("version", BOTH)
def test_a_typo_is_named_with_file_line_and_the_real_option(tmp_path: Path, version: str) -> None:
    problem = only(one(tmp_path, "core", "days_folder", version=version), "options.unknown")
    assert problem.severity is Severity.ERROR
    assert "airflow.yml:1: core.days_folder in airflow_config" in problem.what
    assert "dags_folder" in problem.fix


def test_an_option_in_the_wrong_section(tmp_path: Path) -> None:
    problem = only(one(tmp_path, "core", "worker_concurrency", 4), "options.unknown")
    assert problem.fix == "write it as celery.worker_concurrency"


def test_a_variable_of_the_environment(tmp_path: Path) -> None:
    wrong = {"AIRFLOW__CORE__PARALELISM": "4", "AIRFLOW_CONN_X": "http://x", "TZ": "UTC"}
    problem = only(found(tmp_path, airflow_environment=wrong), "options.unknown")
    assert "AIRFLOW__CORE__PARALELISM in airflow_environment" in problem.what
    assert problem.fix == "write it as core.parallelism"


def test_sections_with_a_dot_are_read_from_the_environment(tmp_path: Path) -> None:
    right = {"AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": "s3://x/y"}
    assert found(tmp_path, airflow_environment=right) == []


def test_another_release_of_the_line_may_know_more(tmp_path: Path) -> None:
    problem = only(one(tmp_path, "core", "brand_new", version="3.4.0"), "options.unknown")
    assert problem.severity is Severity.WARNING


def test_an_unknown_section_may_be_somebodys_own(tmp_path: Path) -> None:
    assert only(one(tmp_path, "my_company", "a"), "options.unknown_section").severity == "warning"
    near = only(one(tmp_path, "schedulr", "a"), "options.unknown_section")
    assert near.fix == "rename it to scheduler"


@pytest.mark.parametrize(
    ("version", "section", "option", "new"),
    [
        ("3.3.2", "webserver", "web_server_port", "api.port"),
        ("3.3.2", "scheduler", "dag_dir_list_interval", "dag_processor.refresh_interval"),
        ("2.11.2", "core", "sql_alchemy_conn", "database.sql_alchemy_conn"),
    ],
)
def test_a_moved_option(tmp_path: Path, version: str, section: str, option: str, new: str) -> None:
    problem = only(one(tmp_path, section, option, version=version), "options.moved")
    assert problem.fix == f"write it as {new}"


def test_a_removed_option_with_what_airflow_says(tmp_path: Path) -> None:
    assert "SLA" in only(one(tmp_path, "core", "check_slas", True), "options.removed").what
    assert one(tmp_path, "core", "check_slas", True, version="2.11.2") == []


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("core", "parallelism", "many"),
        ("scheduler", "enable_health_check", "no"),
        ("core", "default_timezone", "Asia/Soul"),
        ("scheduler", "scheduler_heartbeat_sec", "5 s"),
    ],
)
def test_a_value_that_cannot_be_read(tmp_path: Path, section: str, option: str, value: str) -> None:
    assert value in only(one(tmp_path, section, option, value), "options.value").what


@pytest.mark.parametrize(
    ("section", "option", "value"),
    [
        ("core", "parallelism", 16),
        ("core", "load_examples", False),
        ("core", "fernet_key_cmd", "cat /run/key"),
        ("core", "default_timezone", "Asia/Seoul"),
        ("core", "parallelism", "{{ ansible_facts.processor_vcpus }}"),
        ("celery_broker_transport_options", "max_retries", 3),
    ],
)
def test_good_options(tmp_path: Path, section: str, option: str, value: Any) -> None:
    assert one(tmp_path, section, option, value) == []


ALL = [
    (version, section, option)
    for version in BOTH
    for section, names in known(version).options.items()  # type: ignore[union-attr]
    for option in names
]


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from(ALL), st.data())
def test_a_letter_left_out_leads_back(
    tmp_path: Path, real: tuple[str, str, str], data: st.DataObject
) -> None:
    version, section, option = real
    cut = data.draw(st.integers(0, len(option) - 1))
    wrong = option[:cut] + option[cut + 1 :]
    release = known(version)
    assert release
    if release.kind(section, wrong) or f"{section}.{wrong}" in {*release.moved, *release.removed}:
        return
    problem = only(one(tmp_path, section, wrong, version=version), "options.unknown")
    assert ids([problem]) == ["options.unknown"]
    if len(option) > 5:
        assert problem.fix.startswith("write it as ")


def test_what_the_role_writes_is_known() -> None:
    """The options that roles/airflow sets itself, by release line."""
    names = "load_examples parallelism scheduler_health_port timezone triggerer_log_port"
    more = "web_workers worker_concurrency worker_log_port"
    chosen: dict[str, Any] = dict.fromkeys((names + " " + more).split(), 1)
    web = {
        "host": "h",
        "port": 1,
        "url": "http://h",
        "execution": "http://h/execution/",
        "proxied": True,
    }
    chosen |= {"executor": "CeleryExecutor", "remote_log_folder": "s3://b", "web": web}
    for version in BOTH:
        release = known(version)
        assert release
        for section, written in configuration(chosen, version[0]).items():
            for option in written:
                assert release.kind(section, option), (version, section, option)
