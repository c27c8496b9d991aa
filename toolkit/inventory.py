"""Writes a new inventory directory; never over an existing one."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster import EC2_FILE, GROUPS, Cluster
from toolkit.content import content_dir
from toolkit.errors import ToolkitError
from toolkit.findings import Finding

SAMPLES = ("single", "cluster", "ec2")
_TARGET = re.compile(
    r"^(?:(?P<user>[^@:\s]+)@)?(?P<address>\[[0-9a-fA-F:]+\]|[^@:\s]+)(?::(?P<port>\d+))?$"
)


def parse_target(target: str) -> dict[str, Any]:
    """USER@ADDRESS[:PORT] as inventory variables.

    Raises:
        ToolkitError: it does not have that form.
    """
    found = _TARGET.match(target)
    if not found or target.startswith("-"):
        raise ToolkitError(
            f"{target!r} is not USER@HOST", fix="write for example ubuntu@203.0.113.7"
        )
    variables: dict[str, Any] = {"ansible_host": found["address"].strip("[]")}
    if found["user"]:
        variables["ansible_user"] = found["user"]
    if found["port"]:
        variables["ansible_port"] = int(found["port"])
    return variables


def spread(targets: Sequence[str]) -> dict[str, list[str]]:
    """Group -> targets of hosts given without groups: the first runs all, the rest are workers."""
    first, *rest = targets
    groups = {name: [first] for name in ("metadata_db", "scheduler", "webserver")}
    return groups | ({"broker": [first], "worker": rest} if rest else {})


def parse_group_options(options: Sequence[str]) -> dict[str, list[str]]:
    """`group=user@address` options as group -> targets; `all` is every group of a single host."""
    groups: dict[str, list[str]] = {}
    for option in options:
        group, separator, target = option.partition("=")
        if not separator or group not in (*GROUPS, "all"):
            raise ToolkitError(
                f"--host {option!r} is not GROUP=USER@ADDRESS",
                fix="GROUP is one of " + ", ".join((*GROUPS, "all")),
            )
        for name in ("metadata_db", "scheduler", "webserver") if group == "all" else (group,):
            groups.setdefault(name, []).append(target)
    return groups


def hosts_text(
    hosts: Mapping[str, Mapping[str, Any]], groups: Mapping[str, Sequence[str]], comment: str
) -> str:
    """The text of hosts.yml, from templates/hosts.yml.j2.

    Args:
        hosts: name -> variables.
        groups: group -> names of its hosts.
        comment: one line that says who wrote it.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(content_dir() / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("hosts.yml.j2").render(
        hosts=hosts, groups=groups, comment=comment
    )


def _named(groups: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Hosts and groups of targets; a host is named by its address, as is usual in Ansible."""
    hosts: dict[str, Any] = {}
    members: dict[str, list[str]] = {}
    for group in (name for name in GROUPS if groups.get(name)):
        for target in groups[group]:
            variables = parse_target(target)
            name = str(variables["ansible_host"]).replace(":", "-")
            hosts[name] = variables
            members.setdefault(group, []).append(name)
    return hosts, members


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
            fix=f"toolkit init {directory} --sample ec2, then edit {EC2_FILE} there",
        )
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory.parent, prefix=f".{directory.name}.") as scratch:
        draft = Path(scratch) / directory.name
        shutil.copytree(content_dir() / "inventory" / sample, draft)
        if groups:
            text = hosts_text(*_named(groups), comment="Written by the toolkit; yours to edit.")
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
    from toolkit.settings import validate

    problems: list[Finding] = validate(_drafted(draft))
    if problems:
        first = problems[0]
        raise ToolkitError(first.what.replace(str(draft), "--set"), fix=first.fix)


def _drafted(draft: Path) -> Cluster:
    if not (draft / EC2_FILE).exists():
        return Cluster.load(draft)
    from toolkit.ec2 import config

    return config.load(draft).cluster()
