"""Which hosts a cluster had at its last provision, and what is left on those that it has no more.

Every host keeps the names, addresses and logins of all of them (toolkit/onhost/members.py).
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from toolkit.cluster import Cluster, Host, tables
from toolkit.cluster.ownership import ID
from toolkit.hosts.answer import read
from toolkit.hosts.ownership import Claim, Left, Member, members_of
from toolkit.hosts.problem import HostProblem
from toolkit.hosts.remote import Remote
from toolkit.onhost.bundle import program

KEPT_DAYS = 30
"""A host that left and cannot be reached is remembered for so long."""


def left_hosts(cluster: Cluster, claims: Iterable[Claim]) -> dict[str, Member]:
    """Members that the hosts remember and that are in no group of ours any more."""
    members = members_of(claims, str(cluster.setting(ID) or ""))
    here = {host.name for host in cluster.all_hosts}
    # A host that was given another name is the same host.
    addresses = {(host.address, host.port) for host in cluster.all_hosts}
    return {
        name: member
        for name, member in members.items()
        if name not in here and (member.address, member.port) not in addresses
    }


def ask_left(cluster: Cluster, remote: Remote, members: Mapping[str, Member]) -> dict[str, Left]:
    """What is on hosts that left; {} for those that have nothing of this cluster any more."""
    if not members:
        return {}
    hosts = [_host(cluster, name, member) for name, member in members.items()]
    found: dict[str, Left] = {}
    for name, answer in remote.fan_out(hosts, program("members"), {}, timeout=20).items():
        member = members[name]
        if isinstance(answer, HostProblem):
            found[name] = Left(member, problem=answer.what)
        else:
            one = read(
                Left, {key: answer[key] for key in answer.keys() - {"member"}}, member=member
            )
            if one.id == str(cluster.setting(ID) or ""):
                found[name] = one
    return found


def _host(cluster: Cluster, name: str, member: Member) -> Host:
    """How to connect: as the inventory says, if it still knows the host, else as to the first one."""
    known = next((host for host in cluster.inventory_hosts if host.name == name), None)
    if known is not None:
        return known
    like = cluster.all_hosts[0].variables
    login = {key: value for key, value in like.items() if key.startswith("ansible_")}
    given = {
        "ansible_host": member.address,
        "ansible_port": member.port,
        "ansible_user": member.user,
    }
    return Host(name, (), login | {key: value for key, value in given.items() if value is not None})


def newcomers(cluster: Cluster, remote: Remote, host: Host) -> list[Host]:
    """Hosts in play that a host outside of the limit does not know yet as what they are; [] where it is not ours.

    Raises:
        HostProblem: it cannot be asked.
    """
    claim = read(Claim, remote.run_script(host, program("members"), {}))
    if claim.id != str(cluster.setting(ID) or ""):
        return []
    known = {name: (one.address, set(one.groups)) for name, one in claim.members.items()}
    return [one for one in cluster.hosts if known.get(one.name) != (one.address, set(_groups(one)))]


def write_members(
    cluster: Cluster, remote: Remote, left: Mapping[str, Left], hosts: Iterable[Host]
) -> None:
    """Have hosts remember the members: those in play besides the ones they know, or without a limit all of them."""
    now = time.time()
    members = {
        host.name: Member(host.address, host.port, host.user, _groups(host))
        for host in cluster.hosts
    }
    for name, one in left.items():
        since = one.member.left or now
        if now - since < KEPT_DAYS * 86400 or not one.problem:
            members[name] = replace(one.member, left=since)
    kind = "members" if cluster.limit is None else "known"
    _write(cluster, remote, hosts, {kind: {name: one.as_json() for name, one in members.items()}})


def forget_member(
    cluster: Cluster, remote: Remote, name: str, hosts: Iterable[Host]
) -> list[HostProblem]:
    """Have hosts forget one of them; what is wrong with those that cannot be asked."""
    found = _write(cluster, remote, hosts, {"forget": name}).values()
    return [one for one in found if isinstance(one, HostProblem)]


def _write(
    cluster: Cluster, remote: Remote, hosts: Iterable[Host], payload: Mapping[str, Any]
) -> dict[str, dict[str, Any] | HostProblem]:
    mine = {"id": str(cluster.setting(ID) or "")}
    return remote.fan_out(hosts, program("members"), {**payload, **mine}, timeout=20)


def _groups(host: Host) -> tuple[str, ...]:
    """The groups of ours that it is in."""
    return tuple(group for group in host.groups if group in tables.groups())
