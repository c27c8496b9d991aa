"""What a unit may do: levels, paths that are opened, options of the user's own."""

from __future__ import annotations

from typing import Any

import pytest
from unit_plan import (
    certificate_paths,
    chosen_lines,
    folders,
    hardening,
    log_folders,
    needed_paths,
    unit_hardening,
    unit_level,
    writable,
)

from toolkit.cluster.tables import release_lines
from toolkit.content import content_dir

TABLE = hardening(str(content_dir() / "roles"))
LOCAL, CELERY = "LocalExecutor", "CeleryExecutor"


def options(level: str, *paths: str) -> dict[str, str]:
    return dict(unit_hardening(TABLE, level, paths))


@pytest.mark.parametrize(
    ("line", "component", "executor", "level"),
    [
        ("3", "api-server", LOCAL, "closed"),
        ("3", "scheduler", CELERY, "closed"),
        ("3", "scheduler", LOCAL, "tasks"),
        ("3", "dag-processor", CELERY, "tasks"),
        ("3", "triggerer", CELERY, "tasks"),
        ("3", "worker", CELERY, "tasks"),
        ("2", "webserver", LOCAL, "closed"),
        ("2", "scheduler", CELERY, "tasks"),  # it parses DAGs
        ("2", "worker", CELERY, "tasks"),
    ],
)
def test_levels_go_by_what_a_unit_runs(
    line: str, component: str, executor: str, level: str
) -> None:
    record = release_lines()[line]["components"][component]
    assert unit_level(record, executor, "tasks") == level
    assert unit_level(record, executor, "strict") == level.replace("tasks", "strict")
    assert unit_level(record, executor, "off") == "off"
    assert unit_level(record, executor, False) == "off"  # what YAML makes of off


def test_off_restricts_nothing() -> None:
    assert unit_hardening(TABLE, "off", ["/home/ann/dags"]) == []


def test_every_restriction_has_a_level_and_says_what_it_is_for() -> None:
    for one in TABLE["restrictions"]:
        assert set(TABLE["levels"]) & set(one), one
        assert one["stops"] and one["costs"]
        assert ("hides" in one) == ("else" in one)


@pytest.mark.parametrize(
    "option",
    ["MemoryDenyWriteExecute", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateUsers", "RestrictSUIDSGID"],
)  # fmt: skip
def test_what_ordinary_tasks_meet_is_not_there_by_default(option: str) -> None:
    assert option not in options("tasks")
    assert option in options("closed")


@pytest.mark.parametrize(
    ("path", "opened"),
    [
        ("/home/ann/dags", {"ProtectHome": "read-only"}),
        ("/root/dags", {"ProtectHome": "read-only"}),
        ("/home", {"ProtectHome": "read-only"}),
        ("/tmp/dags", {"PrivateTmp": "no"}),
        ("/var/tmp/x", {"PrivateTmp": "no"}),
        ("/homes/ann", {}),
        ("/srv/home/dags", {}),
    ],
)
@pytest.mark.parametrize("level", ["closed", "strict"])
def test_a_folder_of_airflow_is_not_hidden(path: str, opened: dict[str, str], level: str) -> None:
    assert options(level, path) == options(level) | opened


def test_options_of_the_users_own_are_lines_after_ours() -> None:
    chosen: dict[str, Any] = {
        "NoNewPrivileges": False, "SystemCallFilter": ["@mount", "~ptrace"], "Nice": 5, "ReadWritePaths": None,
    }  # fmt: skip
    assert chosen_lines(chosen) == [
        ("NoNewPrivileges", "no"), ("SystemCallFilter", "@mount"), ("SystemCallFilter", "~ptrace"), ("Nice", "5"),
        ("ReadWritePaths", ""),
    ]  # fmt: skip


def test_writable_paths_are_added_to_ours() -> None:
    assert writable([]) == "/var/lib/airflow /var/log/airflow"
    assert writable(["/data", "/my data/50%", "/data"]) == (
        '/var/lib/airflow /var/log/airflow -/data "-/my data/50%%"'
    )


@pytest.mark.parametrize(
    ("config", "environment", "found"),
    [
        ({}, {}, []),
        ({"logging": {"base_log_folder": "/data/logs"}}, {}, ["/data/logs"]),
        ({"logging": {"base_log_folder": "/var/log/airflow/mine"}}, {}, []),
        ({"logging": {"base_log_folder": "/a"}}, {"AIRFLOW__LOGGING__BASE_LOG_FOLDER": "/b"}, ["/b"]),
        ({"scheduler": {"child_process_log_directory": "/c"}}, {}, ["/c"]),
        ({"logging": "none"}, {}, []),
    ],
)  # fmt: skip
def test_where_logs_go(config: Any, environment: Any, found: list[str]) -> None:
    assert log_folders(config, environment) == found


def test_what_airflow_has_to_reach() -> None:
    bundles = '[{"name": "a", "classpath": "x", "kwargs": {"path": "/home/ann/a"}}, {"name": "b"}]'
    config = {
        "core": {"dags_folder": "/var/lib/airflow/dags", "plugins_folder": "/srv/plugins"},
        "dag_processor": {"dag_bundle_config_list": bundles},
        "logging": {"base_log_folder": "/data/logs"},
    }
    assert needed_paths(config, {}, ["/home/ann/dags", "", "relative"]) == [
        "/srv/plugins", "/home/ann/a", "/data/logs", "/home/ann/dags",
    ]  # fmt: skip
    assert needed_paths({"dag_processor": {"dag_bundle_config_list": "[1"}}, {}, []) == []


@pytest.mark.parametrize(
    ("line", "section", "prefix"), [("3", "api", ""), ("2", "webserver", "web_server_")]
)
def test_the_web_server_s_certificate_is_not_hidden(line: str, section: str, prefix: str) -> None:
    config = {section: {f"{prefix}ssl_cert": "/home/ann/a.pem", f"{prefix}ssl_key": "/root/a.key"}}
    assert certificate_paths(release_lines()[line], config) == ["/home/ann/a.pem", "/root/a.key"]
    assert certificate_paths(release_lines()[line], {}) == []


def test_missing_directories_are_made_for_the_service_user() -> None:
    assert folders(["/data", "/data"]) == [
        {"path": "/data", "directory": True, "owner": "airflow", "group": "airflow", "mode": "0750"}
    ]
