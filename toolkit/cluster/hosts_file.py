"""The text of hosts.yml, and the hosts that are named on a command line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from toolkit.cluster import tables
from toolkit.content import content_dir
from toolkit.errors import ToolkitError

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
        if not separator or group not in (*tables.groups(), "all"):
            raise ToolkitError(
                f"--host {option!r} is not GROUP=USER@ADDRESS",
                fix="GROUP is one of " + ", ".join((*tables.groups(), "all")),
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


def named_hosts(groups: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Hosts and groups of targets; a host is named by its address, as is usual in Ansible."""
    hosts: dict[str, Any] = {}
    members: dict[str, list[str]] = {}
    for group in (name for name in tables.groups() if groups.get(name)):
        for target in groups[group]:
            variables = parse_target(target)
            name = str(variables["ansible_host"]).replace(":", "-")
            hosts[name] = variables
            members.setdefault(group, []).append(name)
    return hosts, members
