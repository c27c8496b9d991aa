"""Every name in the platform table of the scenario's role is one of this image."""

from __future__ import annotations

import os
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.tables import OsRelease, platform

ROLE = Path(__file__).parents[3] / "roles" / os.environ.get("MOLECULE_SCENARIO_NAME", "")


def is_path(host: Any, name: str) -> bool:
    return bool(host.run(f"ls -d {name}").rc == 0)


def is_unit(host: Any, pattern: str) -> bool:
    return bool(host.run(f"systemctl list-units --all --plain --no-legend '{pattern}'").stdout)


def is_installed(host: Any, patterns: list[str]) -> bool:
    query = (
        "rpm -qa --queryformat '%{NAME}\\n'"
        if host.exists("dnf")
        else "dpkg-query -Wf '${Package}\\n'"
    )
    there = host.run(query).stdout.split()
    return any(fnmatchcase(name, pattern) for name in there for pattern in patterns)


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
    "package": is_package,
    "units": is_unit,
    "service": is_service,
    "directory": is_path,
    "file": is_path,
    "socket": is_path,
    "owner": is_user,
    "update": is_command,
    "offered": is_command,
}
# Of what al2023-like has none.
NOT_RUN = {
    ("airflow", "build_packages"): "compilers",
    ("airflow", "example_packages"): "compilers",
    ("base", "time_package"): "clock",
    ("base", "entropy_package"): "hardware",
    ("base", "locale_package"): "locales of Amazon's",
}


def names(value: Any) -> list[str]:
    """Every string in a list, or in the lists of a mapping."""
    if isinstance(value, dict):
        value = [name for inner in value.values() for name in inner]
    return [value] if isinstance(value, str) else list(value)


@pytest.mark.skipif(not (ROLE / "platforms").is_dir(), reason="no role of that name")
def test_names_of_the_platform_table(host: Any) -> None:
    lines = host.file("/etc/os-release").content_string.splitlines()
    says = {name: value.strip('"') for name, _, value in (line.partition("=") for line in lines)}
    system = OsRelease(
        says["ID"], tuple(says.get("ID_LIKE", "").split()), says.get("VERSION_ID", "")
    )
    table = platform(ROLE.name, system)
    assert table
    with host.sudo():
        for key, value in table.items():
            check = CHECKS.get(key.rpartition("_")[2])
            if key == "installed_packages":
                assert is_installed(host, value)
            elif check and not (host.exists("dnf") and (ROLE.name, key) in NOT_RUN):
                assert [name for name in names(value) if not check(host, name)] == [], key
