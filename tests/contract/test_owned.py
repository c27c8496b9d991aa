"""roles/*/owned.yml name all that the roles' tasks put on a host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml

from toolkit.cluster.planner import owned_things
from toolkit.cluster.specs import roles

ROLES = Path(__file__).resolve().parents[2] / "roles"
OURS_ALONE = "/usr/local/lib/airflow-toolkit/"
WRITES = ("copy", "template", "file", "lineinfile", "blockinfile", "unarchive", "get_url", "yum_repository",
          "apt_repository", "user", "group", "cron", "git", "synchronize")  # fmt: skip
EDITED = {
    "postgres: Make their directory", "postgres: Make a directory for configuration of ours", "postgres: Read that directory",
    "postgres: Let this host and the cluster's others log in with their password", "postgres: Have it start with the system",
    "redis: Read that configuration last, so that it wins", "python: Copy uv", "airflow: Create the groups",
    "airflow: Create the service user",
}  # fmt: skip
"""Tasks that change something otherwise: lines in a server's own files, users that are on the list."""


def tasks(role: str) -> Iterator[dict[str, Any]]:
    wanted = [
        one
        for path in sorted(ROLES.glob(f"{role}/tasks/*.yml"))
        for one in yaml.safe_load(path.read_text())
    ]
    while wanted:
        task = wanted.pop()
        wanted += [one for part in ("block", "rescue", "always") for one in task.get(part, [])]
        yield task


@pytest.mark.parametrize("role", roles())
def test_a_role_writes_files_by_the_module_that_lists_them(role: str) -> None:
    other = {
        f"{role}: {task['name']}" for task in tasks(role)
        for module in WRITES if f"ansible.builtin.{module}" in task
    }  # fmt: skip
    assert other <= EDITED


@pytest.mark.parametrize("role", roles())
def test_its_table_has_every_path_that_it_writes(role: str) -> None:
    found = owned_things(str(ROLES / "base"), [role])
    patterns = [entry["path"] for entry in found["files"]] + list(found["links"])
    for task in tasks(role):
        entries = task.get("write_files", {}).get("files", ())
        for path in (one["path"] for one in entries if isinstance(one, dict)):
            if "{{" not in path and not path.startswith(OURS_ALONE):
                assert any(fnmatchcase(path, pattern) for pattern in patterns), path


def test_the_table_has_every_directory_of_tmpfiles() -> None:
    text = (ROLES / "airflow/templates/tmpfiles.conf.j2").read_text()
    made = re.findall(r"^d (\S+)", text, re.M)
    assert made
    wanted = owned_things(str(ROLES / "base"), ["airflow"])["directories"]
    assert set(made) - set(wanted) == {"/var/lib/airflow/dags/releases/none"}


def test_every_copied_file_is_there() -> None:
    found = owned_things(str(ROLES / "base"), roles())
    assert [
        one for one in found["files"] if "copy" in one and not Path(one["copy"]).is_file()
    ] == []
