"""Writes a new inventory directory; never over an existing one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster import Cluster
from toolkit.cluster.hosts_file import hosts_text, named_hosts
from toolkit.cluster.settings import validate
from toolkit.cluster.yamlfile import parse_value
from toolkit.content import content_dir
from toolkit.errors import ToolkitError
from toolkit.findings import errors
from toolkit.providers.ec2 import EC2, config

SAMPLES = ("single", "cluster", "ec2")


def parse_assignments(assignments: Sequence[str]) -> dict[str, Any]:
    """`name=value` options, values read as YAML.

    Raises:
        ToolkitError: no `=`, or the value is not YAML.
    """
    found: dict[str, Any] = {}
    for assignment in assignments:
        name, separator, value = assignment.partition("=")
        if not separator or not name:
            raise ToolkitError(
                f"--set {assignment!r} is not NAME=VALUE", fix="--set airflow_web_port=8081"
            )
        if name in found:
            raise ToolkitError(f"--set {name} is given twice", fix="leave one of the two out")
        found[name] = parse_value(value, f"--set {name}")
        # 3.10 on a command line is a version, not the number 3.1.
        if isinstance(found[name], float):
            found[name] = value
    return found


def create(
    directory: Path,
    *,
    sample: str = "single",
    groups: Mapping[str, Sequence[str]] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write an inventory directory from a sample.

    Args:
        groups: group -> targets; the sample's own hosts (documentation addresses) when empty.
        settings: values to set in group_vars/all/airflow.yml; checked before anything is written.

    Raises:
        ToolkitError: the directory holds an inventory already, or a setting is wrong.
    """
    if directory.exists() and any(directory.iterdir()):
        raise ToolkitError(
            f"{directory} exists and is not empty; nothing was written",
            fix=f"edit it, or choose another directory than {directory}",
        )
    if sample == "ec2" and groups:
        raise ToolkitError(
            "with sample ec2 there are no hosts to name: toolkit ec2 makes them",
            fix=f"toolkit init {directory} --sample ec2, then edit {EC2.file} there",
        )
    name = directory.absolute().name or "cluster"
    with tempfile.TemporaryDirectory(prefix="toolkit-init-") as scratch:
        draft = Path(scratch) / name
        shutil.copytree(content_dir() / "inventory" / sample, draft)
        if groups:
            text = hosts_text(
                *named_hosts(groups), comment="Written by the toolkit; yours to edit."
            )
            (draft / "hosts.yml").write_text(text, encoding="utf-8")
        if settings:
            with (draft / "group_vars/all/airflow.yml").open("a", encoding="utf-8") as file:
                yaml.safe_dump(dict(settings), file, sort_keys=False)
        _refuse_wrong_settings(draft)
        (draft / ".gitignore").write_text(".vault-password\n.ssh-key\n", encoding="utf-8")
        _put(draft, directory)
    return directory


def _put(draft: Path, directory: Path) -> None:
    """Copy a draft that is right to its place: as a whole, or into the empty directory there."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    if directory.exists():
        shutil.copytree(draft, directory, dirs_exist_ok=True)
        return
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{draft.name}.") as scratch:
        shutil.copytree(draft, Path(scratch) / draft.name).rename(directory)
    directory.chmod(0o755)


def _refuse_wrong_settings(draft: Path) -> None:
    problems = errors(validate(_drafted(draft)))
    if problems:
        first = problems[0]
        raise ToolkitError(first.what.replace(str(draft), "--set"), fix=first.fix, id=first.id)


def _drafted(draft: Path) -> Cluster:
    if not (draft / EC2.file).exists():
        return Cluster.load(draft)
    return config.load(draft).cluster()
