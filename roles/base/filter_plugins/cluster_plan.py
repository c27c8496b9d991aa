"""Who reaches whom in a cluster, and how much its servers take: computed here for roles and toolkit.

Lies in role base, which every role uses: Ansible finds a filter once its role was loaded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

LOCAL = "127.0.0.1"
METADATA = "169.254.169.254"
"""Where clouds tell a machine about itself; its keys are those of whoever asks."""
CONNECTIONS: Mapping[str, int] = {"scheduler": 40, "webserver": 30, "worker": 35}
"""Database connections that a server lets in at least for each host of a group."""
CONNECTIONS_FOR_ALL = 50
CONNECTIONS_STEP = 300
"""A server reads max_connections when it starts, and a worker more shall not restart it."""

Groups = Mapping[str, Iterable[str]]
Variables = Mapping[str, Mapping[str, Any]]


def _load(text: str) -> Any:
    # The loader in C takes a tenth of the time, and each task of a play loads anew.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def platform(role_path: str, role: str, facts: Mapping[str, Any]) -> Mapping[str, Any]:
    """A role's table for a distribution: of its release, else of it, else of its family.

    Args:
        role_path: of any role beside the one that is asked for.
        facts: Ansible's.

    Raises:
        FileNotFoundError: the role has no table for the family.
    """
    name = str(facts["distribution"]).lower()
    versions = (facts["distribution_version"], facts["distribution_major_version"])
    names = [*(f"{name}-{version}" for version in versions), name, str(facts["os_family"]).lower()]
    directory = Path(role_path).parent / role / "platforms"
    paths = (directory / f"{one}.yml" for one in names)
    return _table(next((path for path in paths if path.exists()), directory / f"{names[-1]}.yml"))


@cache
def _table(path: Path) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _load(path.read_text(encoding="utf-8"))
    return found


def address(host: str, variables: Mapping[str, Any]) -> str:
    """Where the other hosts of a cluster reach a host: base_address, else where SSH does."""
    names = ("base_address", "ansible_ssh_host", "ansible_host")
    return str(next((variables[name] for name in names if variables.get(name)), host))


def server(groups: Groups, group: str, hostvars: Variables, me: str) -> dict[str, str]:
    """The first host of a group, this one where there is none, and how to reach it.

    Returns:
        host: its name.
        address: as seen from this host.
        public_address: as seen from others.
    """
    host = next(iter(groups.get(group, ())), me)
    public = address(host, hostvars[host])
    local = LOCAL if host == me else public
    return {"host": host, "address": local, "public_address": public}


def members(groups: Groups, names: Iterable[str]) -> list[str]:
    """The hosts of some groups, each once."""
    return list(dict.fromkeys(host for name in names for host in groups.get(name, ())))


def clients(groups: Groups, names: Iterable[str], hostvars: Variables, me: str) -> list[str]:
    """Addresses of those hosts of some groups that are not this one."""
    return [address(host, hostvars[host]) for host in members(groups, names) if host != me]


def direct(groups: Groups, hostvars: Variables, me: str) -> list[str]:
    """Addresses and names that no proxy may stand before: this host's own, and those it asks by HTTP.

    Tasks ask the web server, which asks every host for its logs, by the name that the host gives itself.
    """
    asked = members(groups, ["webserver"])
    if me in asked:
        asked = members(groups, ["webserver", "scheduler", "worker"])
    found = [LOCAL, "::1", "localhost", METADATA]
    for host in [me, *asked]:
        facts = hostvars[host].get("ansible_facts", {})
        found += [address(host, hostvars[host]), host, facts.get("nodename"), facts.get("fqdn")]
    return list(dict.fromkeys(name for name in found if name))


def behind(hostvars: Variables, gate: str, hosts: Iterable[str]) -> list[str]:
    """Those hosts that have not passed a gate of the play (tasks/pass_gate.yml)."""
    return [host for host in hosts if gate not in hostvars[host].get("_base_gates", ())]


def server_connections(groups: Groups) -> int:
    """How many connections a database server lets in. One that is alone expects one host."""
    alone = {"scheduler": 1, "webserver": 1, "worker": 0}
    counts = {name: len(list(groups[name])) if name in groups else alone[name] for name in alone}
    needed = CONNECTIONS_FOR_ALL + sum(CONNECTIONS[name] * counts[name] for name in counts)
    return math.ceil(needed / CONNECTIONS_STEP) * CONNECTIONS_STEP


def server_buffer_mb(memory_mb: int) -> int:
    """A database server's own cache: an eighth of the memory, at least 128 MB, at most 2 GB."""
    return max(128, min(memory_mb // 8, 2048))


class FilterModule:
    """The functions that roles use, as Jinja filters."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {
            "cluster_platform": platform,
            "cluster_server": server,
            "cluster_clients": clients,
            "cluster_members": members,
            "cluster_direct": direct,
            "cluster_behind": behind,
            "cluster_connections": server_connections,
            "cluster_buffer_mb": server_buffer_mb,
        }
