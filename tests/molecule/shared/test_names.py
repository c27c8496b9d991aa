"""Every name in the platform table of the scenario's role is one of this image."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROLE = Path(__file__).parents[3] / "roles" / os.environ.get("MOLECULE_SCENARIO_NAME", "")


def is_path(host: Any, name: str) -> bool:
    return bool(host.file(name).exists)


def is_service(host: Any, name: str) -> bool:
    return bool(host.service(name).exists)


def is_user(host: Any, name: str) -> bool:
    return bool(host.user(name).exists)


def is_command(host: Any, name: str) -> bool:
    return name == ":" or bool(host.exists(name.split()[0]))


def is_package(host: Any, names: str) -> bool:
    return any("Candidate: (none)" not in policy(host, name) for name in names.split("|"))


def policy(host: Any, name: str) -> str:
    if host.exists("dnf"):
        found = host.run(f"rpm -q --whatprovides {name} || dnf -q repoquery {name}")
        return "" if found.rc == 0 and found.stdout.strip() else "Candidate: (none)"
    return str(host.run(f"apt-cache policy {name}").stdout) or "Candidate: (none)"


CHECKS: dict[str, Callable[[Any, str], bool]] = {
    "packages": is_package,
    "service": is_service,
    "directory": is_path,
    "file": is_path,
    "socket": is_path,
    "owner": is_user,
    "update": is_command,
    "offered": is_command,
}
NOT_RUN = {("airflow", "redhat", "build_packages"): "al2023-like has no compilers"}


def names(value: Any) -> list[str]:
    """Every string in a list, or in the lists of a mapping."""
    if isinstance(value, dict):
        value = [name for inner in value.values() for name in inner]
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.skipif(not (ROLE / "platforms").is_dir(), reason="no role of that name")
def test_names_of_the_platform_table(host: Any) -> None:
    family = "redhat" if host.exists("dnf") else "debian"
    table = yaml.safe_load((ROLE / f"platforms/{family}.yml").read_text())
    with host.sudo():
        for key, value in table.items():
            check = CHECKS.get(key.rpartition("_")[2])
            if check and (ROLE.name, family, key) not in NOT_RUN:
                assert [name for name in names(value) if not check(host, name)] == [], key
