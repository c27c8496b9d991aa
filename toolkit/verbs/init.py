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
            raise ToolkitError(f"--set {assignment!r} is not NAME=VALUE")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ToolkitError(f"--set {name}: {value!r} is not YAML", fix="quote it") from None
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
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as scratch:
        draft = Path(scratch) / directory.name
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
        if directory.exists():
            directory.rmdir()
        draft.rename(directory)
        directory.chmod(0o755)
    return directory


def _refuse_wrong_settings(draft: Path) -> None:
    problems = errors(validate(_drafted(draft)))
    if problems:
        first = problems[0]
        raise ToolkitError(first.what.replace(str(draft), "--set"), fix=first.fix)


def _drafted(draft: Path) -> Cluster:
    if not (draft / EC2.file).exists():
        return Cluster.load(draft)
    return config.load(draft).cluster()
