"""The file airflow.lock: read, compared, written.

A lock is a requirements file with hashes, good for several Pythons and machines at once. Its
leading comment lines are YAML and say what it was resolved for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster import planner
from toolkit.cluster.yamlfile import read_bytes, read_text
from toolkit.content import content_dir
from toolkit.errors import Location, ToolkitError

LOCK_NAME = "airflow.lock"
_TITLE = "# Every dependency of Airflow, pinned and hashed; made by `toolkit lock`, not by hand.\n"


@dataclass(frozen=True)
class Header:
    """What a lock was resolved for.

    Attributes:
        airflow_version: for example "3.3.2".
        extras: normalized and sorted; what the user asked for, dropped ones included.
        requirements: the user's additional requirements, normalized and sorted.
        pythons: minor versions the lock is good for, for example ("3.10", "3.11").
        machines: as `uname -m` says it.
        source: "constraints-3.3.2" or "index as of 2026-09-18".
        built_on_hosts: packages without a wheel for some of these Pythons and machines.
    """

    airflow_version: str
    extras: tuple[str, ...]
    requirements: tuple[str, ...]
    pythons: tuple[str, ...]
    machines: tuple[str, ...]
    source: str
    built_on_hosts: tuple[str, ...]

    def __str__(self) -> str:
        fields = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
        }
        lines = yaml.safe_dump(
            fields, sort_keys=False, width=1000, default_flow_style=None
        ).splitlines()
        return _TITLE + "#\n" + "".join(f"#   {line}\n" for line in lines)


def read_header(path: Path) -> Header:
    """The header of a lock.

    Raises:
        ToolkitError: the file has no header of ours.
    """
    try:
        fields = planner.lock_header(read_text(path))
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else str(value)
            for name, value in fields.items()
        }
        return Header(**values)
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError):
        raise ToolkitError(
            "this lock does not say what it was resolved for",
            where=Location(path),
            fix=f"toolkit lock -i {path.parent}",
        ) from None


def lock_hash(path: Path) -> str:
    """What the lock's releases are named by."""
    return planner.lock_hash(read_bytes(path))


def pinned(path: Path) -> dict[str, tuple[str, ...]]:
    """Package name -> the versions in the lock (more than one where Pythons differ)."""
    found: dict[str, tuple[str, ...]] = {}
    for line in _lines(path):
        name, separator, rest = line.partition("==")
        if separator and rest.strip() and not line.startswith(("#", " ")):
            found[name] = (*found.get(name, ()), rest.split()[0])
    return found


def is_stale(path: Path, version: str, extras: Iterable[str], requirements: Iterable[str]) -> bool:
    """Whether the lock was resolved for other settings than these."""
    header = asdict(read_header(path))
    return not planner.lock_fits(header, version, extras, normal_requirements(requirements))


def normal_requirements(requirements: Iterable[str]) -> tuple[str, ...]:
    """Requirements in the one spelling and order that locks are compared in.

    Raises:
        ToolkitError: one of them is malformed.
    """
    normal: set[str] = set()
    for text in requirements:
        try:
            normal.update(planner.normal_requirements([text]))
        except ValueError as error:
            cause = str(error).splitlines()[0]
            raise ToolkitError(
                f"{text!r} in airflow_requirements is not a requirement: {cause}",
                fix='write it as in a requirements file, for example "pandas>=2,<3"',
            ) from None
    return tuple(sorted(normal))


def outside_index(text: str) -> str | None:
    """Why a requirement cannot be locked: a lock pins versions of a package index, each with its hash."""
    written = text.strip()
    if written.startswith("-"):
        return f"{written.split()[0].partition('=')[0]} is an option, and no requirement"
    name, marked, source = written.partition("@")
    place = (
        source.strip() if marked and re.fullmatch(r"[\w.-]+\s*(\[[^]]*\])?\s*", name) else written
    )
    if re.match(r"(git|hg|svn|bzr)\+|\w+://|file:|git@|[./~]", place) or place.endswith(
        (".whl", ".tar.gz", ".txt")
    ):
        return "one of them comes from a URL or a path, and a lock has versions of a package index only"
    return None


def shipped_lock(version: str, extras: Iterable[str], requirements: Iterable[str]) -> Path | None:
    """The lock that comes with the toolkit for these settings, if there is one."""
    directory = content_dir() / "roles" / "airflow" / "files" / "locks"
    found = planner.shipped_lock(str(directory), version, extras, normal_requirements(requirements))
    return Path(found) if found else None


def write(path: Path, text: str) -> None:
    """Replace a lock in one step, so that an interrupted run leaves the old one."""
    new = path.with_name(f".{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _lines(path: Path) -> list[str]:
    return read_text(path).splitlines()
