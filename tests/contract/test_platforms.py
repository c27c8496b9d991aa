"""What differs between distributions stands in tables; templates work with each, tests look at each."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from support import filters

from toolkit.cluster.tables import OsRelease, platform

REPOSITORY = Path(__file__).resolve().parents[2]
TABLES = sorted(REPOSITORY.glob("roles/*/platforms/*.yml"))
TEMPLATES = sorted(REPOSITORY.glob("roles/*/templates/*.j2"))
IN_ONE_ONLY = {"initialize", "prepared_directory"}
"""Keys that only the platform has whose packages do not do it themselves."""
DNF = {"amazon", "redhat"}
"""The tables that al2023-like stands for."""
NO_IMAGE = {("mysql", "amazon"): "MySQL's RPMs cannot be had on our test machine"}
NOT_A_NAME = {
    "lacking": "releases that rules and role refuse",
    "initialize": "run by the role",
    "commands": "what fixes name",
    "firewalls": "what fixes name",
}
SYSTEMS = [OsRelease("debian", version="12"), OsRelease("amzn", ("fedora",), "2023")]
FACTS: dict[str, Any] = {
    "memtotal_mb": 4000, "processor_vcpus": 2, "architecture": "x86_64", "pkg_mgr": "apt",
    "distribution": "Debian", "distribution_major_version": "12", "distribution_release": "bookworm",
}  # fmt: skip
CLUSTER: dict[str, Any] = {
    "ansible_managed": "by Ansible", "ansible_facts": FACTS, "inventory_hostname": "h1",
    "group_names": ["metadata_db", "broker", "scheduler", "webserver", "worker"],
    "groups": {name: ["h1"] for name in ("metadata_db", "broker", "scheduler", "webserver", "worker")},
    "hostvars": {"h1": {}}, "inventory_dir": "/nowhere", "ansible_playbook_python": "python3",
    "metadata_db_engine": "postgres", "metadata_db_user": "u", "metadata_db_name": "n",
    "metadata_db_password": "p", "component_name": "scheduler", "_postgres_server": {"directory": "/d"},
    "base_restart": "always",
    "_airflow_here": {"stdout": "current"}, "_airflow_dump_host": "h1", "_airflow_dumped": {"stdout": '{"path": "/x"}'},
}  # fmt: skip


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def of(path: Path) -> str:
    """The name of the role that a file belongs to."""
    return path.parts[-3]


@pytest.mark.parametrize("role", sorted({of(path) for path in TABLES}))
def test_tables_of_a_role_have_the_same_keys(role: str) -> None:
    keys = [set(load(path)) - IN_ONE_ONLY for path in TABLES if of(path) == role]
    assert len(keys) == 2
    assert keys[0] == keys[1]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: f"{of(path)}/{path.name}")
@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.id)
def test_every_template_renders_with_every_table(template: Path, system: OsRelease) -> None:
    role = template.parents[1]
    filters.load(role.name)
    loader = DataLoader()
    variables = dict(CLUSTER, role_path=str(role))
    for path in (role / "defaults/main.yml", role / "vars/main.yml"):
        if path.exists():
            variables |= loader.load_from_file(str(path), trusted_as_template=True)
    table = platform(role.name, system)
    if table:
        variables[f"_{role.name}_platform"] = table
    text = Templar(loader, variables=variables).template(
        trust_as_template(template.read_text()), escape_backslashes=False
    )
    assert str(text).strip()
    assert "{{" not in re.sub(r"{{ *(params|dag|ti|ds)\b.*?}}", "", str(text))


@pytest.mark.parametrize("table", TABLES, ids=lambda path: f"{of(path)}/{path.stem}")
def test_molecule_looks_at_every_name_of_a_table(table: Path) -> None:
    checks = runpy.run_path(str(REPOSITORY / "tests/molecule/shared/test_names.py"))["CHECKS"]
    for key in load(table):
        assert key in NOT_A_NAME or key.rpartition("_")[2] in checks, key
    script = (REPOSITORY / "script/molecule").read_text()
    images = re.search(rf"\[{of(table)}\]=(\"[^\"]*\"|\S+)", script)
    assert images
    named = images[1].strip('"')
    if "all_images" in named:
        named = re.search(r'all_images="([^"]*)"', script)[1]  # type: ignore[index]
    has_image = any((name == "al2023-like") == (table.stem in DNF) for name in named.split())
    assert has_image or (of(table), table.stem) in NO_IMAGE
