"""Roles, settings and docs agree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.settings import ROLES

REPOSITORY = Path(__file__).resolve().parents[2]
TASK_FILES = sorted(REPOSITORY.glob("roles/*/tasks/*.yml")) + sorted(
    REPOSITORY.glob("roles/*/handlers/*.yml")
)
SECRETS = re.compile(
    r"\b(postgres_password|redis_password|airflow_fernet_key|airflow_secret_key|airflow_jwt_secret|"
    r"airflow_admin\b|_airflow_admin\b|_airflow_secret_values|_airflow_build_environment)"
)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_specification(role: str) -> None:
    defaults = load(REPOSITORY / f"roles/{role}/defaults/main.yml")
    options = load(REPOSITORY / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    assert defaults == {name: option.get("default") for name, option in options.items()}


@pytest.mark.parametrize("role", ROLES)
def test_settings_carry_their_roles_prefix_and_a_description(role: str) -> None:
    options = load(REPOSITORY / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    for name, option in options.items():
        assert name.startswith(f"{role}_")
        assert option["description"][0].endswith((".", ")")), name


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_tasks_have_names_and_hide_secrets(path: Path) -> None:
    for task in load(path):
        assert task.get("name"), task
        if SECRETS.search(str({key: value for key, value in task.items() if key != "vars"})):
            assert task.get("no_log") is True, task["name"]


@pytest.mark.parametrize("role", ROLES)
def test_every_setting_is_used(role: str) -> None:
    files = [path for path in (REPOSITORY / "roles").rglob("*") if path.suffix in {".yml", ".j2"}]
    used = "\n".join(
        path.read_text() for path in files
        if "meta" not in path.parts and path.name != "README.md" and path.parts[-2] != "defaults"
    )  # fmt: skip
    used += (REPOSITORY / "toolkit/settings.py").read_text() + (
        REPOSITORY / "toolkit/lock.py"
    ).read_text()
    for name in load(REPOSITORY / f"roles/{role}/defaults/main.yml"):
        assert name in used, f"{name} is used nowhere"


@pytest.mark.parametrize("role", ROLES)
def test_templates_and_files_that_tasks_name_exist(role: str) -> None:
    root = REPOSITORY / "roles" / role
    for path in root.glob("tasks/*.yml"):
        for module, folder in (("template", "templates"), ("copy", "files")):
            for name in re.findall(
                rf"ansible\.builtin\.{module}:\n    src: ([\w.-]+)\n", path.read_text()
            ):
                assert (root / folder / name).exists(), f"{path}: {name}"


def test_generated_docs_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "script/docs", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_registry_hosts_and_no_paths_of_one_machine() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    registry = re.compile(
        r"pypi\.(org|python)|pythonhosted|registry\.npmjs|deb\.debian|snapshot\.debian"
    )
    machine = re.compile(r"/work/|/tmp/bash_jobs|/farm/")
    for name in files:
        if name == "tests/contract/test_roles.py":
            continue
        text = (
            (REPOSITORY / name).read_text(errors="replace") if (REPOSITORY / name).exists() else ""
        )
        assert not registry.search(text), name
        assert not machine.search(text), name
