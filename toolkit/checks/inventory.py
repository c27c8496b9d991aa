"""Inventories that say something else than their author means; nothing is connected to for these."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from toolkit.checks.common import error, listed, plan_rule, warning
from toolkit.cluster import Cluster, tables
from toolkit.cluster.reader import hidden_files
from toolkit.findings import Finding

_NEAR = 0.8
"""Similarity of two names from which on one is taken for the other with a slip of the pen."""


@plan_rule
def near_groups(cluster: Cluster) -> Iterator[Finding]:
    """A group named nearly like one of ours whose hosts are in none of ours: nothing would run there."""
    ours = tables.groups()
    used = {host.name for group in ours for host in cluster.group(group)}
    for name in cluster.group_names:
        idle = [host.name for host in cluster.group(name) if host.name not in used]
        if name in (*ours, "all", "ungrouped") or not idle:
            continue
        meant, sure = _meant(name, ours)
        if meant:
            report = error if sure else warning
            yield report(
                "inventory.near_group" if sure else "inventory.alike_group",
                host="",
                what=f"{cluster.hosts_file}: group {name} ({listed(idle)}) is not {meant}, so nothing "
                "would run there",
                fix=f"rename it to {meant}, or put it below: {meant}: {{children: {{{name}: }}}}",
            )


def _meant(name: str, ours: tuple[str, ...]) -> tuple[str, bool]:
    """The group of ours that a name is for, and whether that is sure; ("", False) for none."""
    for group in ours:
        if _plain(name) == _plain(group):
            return group, True
    close = difflib.get_close_matches(_plain(name), [_plain(group) for group in ours], 1, _NEAR)
    for group in ours:
        if _plain(group) in close:
            return group, True
    words = {_plain(word) for word in re.split(r"[^A-Za-z0-9]+", name)}
    return next(((group, False) for group in ours if _plain(group) in words), ("", False))


def _plain(name: str) -> str:
    """A group's name without what people write differently: case, plural, separators, Airflow's name."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    return letters.removeprefix("airflow").removesuffix("s")


@plan_rule
def hidden(cluster: Cluster) -> Iterator[Finding]:
    """Of a file and a folder of one name Ansible reads one alone."""
    for path, read in hidden_files(cluster.inventory):
        yield warning(
            "inventory.hidden_file",
            host="",
            what=f"{path} is not read: Ansible reads {read.name}{'/' if read.is_dir() else ''} "
            "beside it, and that alone",
            fix=f"mv {path} {read}/" if read.is_dir() else f"move what is in it to {read}",
        )
