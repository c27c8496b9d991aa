"""Inventories that say something else than their author means; nothing is connected to for these."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from itertools import islice

from toolkit.checks.common import error, is_set, listed, plan_rule, warning
from toolkit.cluster import Cluster, tables
from toolkit.cluster.reader import hidden_files
from toolkit.findings import Finding

_NEAR = 0.82
"""Similarity of two names from which on one is taken for the other with a slip of the pen."""
_WORDS = {
    "celery": "worker",
    "db": "metadata_db",
    "database": "metadata_db",
    "web": "webserver",
    "ui": "webserver",
}
"""What people call the groups of ours."""


@plan_rule
def near_groups(cluster: Cluster) -> Iterator[Finding]:
    """A group whose name says one of ours, with hosts that are not in that one: nothing would run there.

    Other applications have groups of such names too. Where ours has all it needs, only a slip of the
    pen is reported, or a word of ours for hosts that have no part of Airflow.
    """
    ours = tables.groups()
    used = {host.name for group in ours for host in cluster.group(group)}
    for name in cluster.group_names:
        if name not in (*ours, "all", "ungrouped"):
            found = (_near(cluster, name, *one, used) for one in _meant(name, ours))
            yield from islice(filter(None, found), 1)


def _near(cluster: Cluster, name: str, meant: str, how: int, used: set[str]) -> Finding | None:
    """What is to be said of a group that may be for one of ours; `used` are the hosts in any of ours."""
    hosts, there = ({host.name: None for host in cluster.group(one)} for one in (name, meant))
    out = [host for host in hosts if host not in there]
    idle = [host for host in out if host not in used]
    lacking = not there and _is_needed(cluster, meant)
    wider = there and there.keys() <= hosts.keys()
    slip = how == _SAME or (how == _SLIP and not wider)
    if not out or not (lacking or slip or (how == _WORD and idle)):
        return None
    certain = lacking or (slip and (idle or not there))
    report = error if certain else warning
    return report(
        "inventory.near_group" if certain else "inventory.alike_group",
        host="",
        what=f"{cluster.hosts_file}: group {name} ({listed(idle or out)}) is not {meant}, so "
        f"nothing of {meant} would run there",
        fix=f"rename it to {meant}, or put it below: {meant}: {{children: {{{name}: }}}}",
    )


def _is_needed(cluster: Cluster, group: str) -> bool:
    """Whether a group of ours has to have hosts."""
    server = tables.server_groups().get(group)
    if server and is_set(cluster, server.url):
        return False
    if group == "worker":
        return bool(cluster.group("broker")) or is_set(cluster, "broker_url")
    return group != "broker" or bool(cluster.group("worker"))


@plan_rule
def broker_for_nobody(cluster: Cluster) -> Iterator[Finding]:
    """Only workers use the broker."""
    if cluster.group("broker") and not cluster.group("worker"):
        yield warning(
            "inventory.broker_for_nobody",
            host="",
            what=f"{cluster.hosts_file}: there is a group broker "
            f"({listed(host.name for host in cluster.group('broker'))}) and no worker, so tasks run on "
            "the scheduler's host and nobody uses the broker",
            fix="name hosts below worker:, or remove the group broker",
        )


_SAME, _SLIP, _WORD, _OTHER = range(4)
"""How a name says a group of ours: it is that name but for its form, or for a slip of the pen; it has that
name as a word, or a component's; it has another word for it."""


def _meant(name: str, ours: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """The groups of ours that a name can be for, and how it says so; the surest first."""
    plain = {_plain(group): group for group in ours}
    if _plain(name) in plain:
        yield plain[_plain(name)], _SAME
    for close in difflib.get_close_matches(_plain(name), plain, 1, _NEAR):
        yield plain[close], _SLIP
    words = [_plain(word) for word in re.split(r"[^A-Za-z0-9]+", name)]
    yield from ((plain[word], _WORD) for word in words if word in plain)
    components = {one.name: one.group for one in tables.all_components()}
    exact = name.lower().replace("_", "-").removeprefix("airflow-")
    if exact in components:
        yield components[exact], _WORD
    others = _WORDS | {_plain(one): engine.group for one, engine in tables.engines().items()}
    yield from ((others[word], _OTHER) for word in words if word in others)


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


@plan_rule
def unread(cluster: Cluster) -> Iterator[Finding]:
    """What lies beside the host lists is tried by Ansible, and left out with a warning."""
    for path, why in cluster.unread.items():
        yield warning(
            "inventory.unread_file",
            host="",
            what=f"{path} is no host list: {why}",
            fix="if it names hosts, correct it; if not, keep it elsewhere, or give it an ending that Ansible "
            "does not read, such as .txt or .md",
        )
