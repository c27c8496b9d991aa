"""One more round trip between hosts: does each reach what it needs of the others?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.cluster import Cluster
from toolkit.cluster.tables import engines, openings
from toolkit.cluster.topology import Link, links
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.facts import Facts
from toolkit.hosts.tried import Reach, Resolution
from toolkit.onhost.addresses import literal
from toolkit.onhost.bundle import program

LOOPBACK_NAMES = ("localhost", "localhost.localdomain", "ip6-localhost")
SECONDS = 2.0
"""How long hosts wait for each other; over as soon as all connections are made."""


def meet(
    cluster: Cluster, remote: Remote, facts: Mapping[str, Facts]
) -> tuple[tuple[Reach, ...], tuple[Resolution, ...]]:
    """Have the hosts that answered connect to each other.

    Returns:
        What came of each connection, and of each name that has to be known.
    """
    playing = {host.name for host in cluster.hosts} & set(facts)
    wanted = [link for link in links(cluster) if {link.source, link.target} <= playing]
    involved = {name for link in wanted for name in (link.source, link.target)}
    hosts = [host for host in cluster.hosts if host.name in involved]
    owners = _names(cluster, wanted, facts)
    payloads = _payloads(wanted, owners)
    answers = remote.fan_out(hosts, program("reach"), lambda host: payloads[host.name])
    answered = {n: a for n, a in answers.items() if not isinstance(a, HostProblem)}
    return tuple(_reached(answered)), tuple(_resolved(answered, owners))


Names = dict[tuple[str, str], tuple[str, bool]]
"""Host and the name that has to be known there -> its owner, and whether it is a base_address."""


def _names(cluster: Cluster, wanted: list[Link], facts: Mapping[str, Facts]) -> Names:
    """The names that hosts have to know of each other."""
    return _own_names(wanted, facts) | _base_addresses(cluster, wanted)


def _own_names(wanted: list[Link], facts: Mapping[str, Facts]) -> Names:
    """Airflow looks for the logs of a task at the name that its host gives itself."""
    owners = {}
    by_name = {port.setting for port in openings().values() if port.by_name}
    for link in wanted:
        network = facts[link.target].network
        # A host that calls itself localhost has no name that others could know.
        name = network.fqdn or network.hostname if network else ""
        if link.setting in by_name and name and name not in LOOPBACK_NAMES:
            owners[link.source, name] = link.target, False
    return owners


def _base_addresses(cluster: Cluster, wanted: list[Link]) -> Names:
    """Whoever connects goes by them, and a server lets those addresses in that its clients' names have."""
    owners = {}
    servers = {engine.port for engine in engines().values()}
    for link in wanted:
        client = cluster.host(link.source).base_address
        if not literal(link.address):
            owners[link.source, link.address] = link.target, True
        if link.setting in servers and not literal(client):
            owners[link.target, client] = link.source, True
    return owners


def _payloads(wanted: list[Link], owners: Names) -> Mapping[str, dict[str, Any]]:
    """What `onhost.reach.main` gets on each host."""
    listen: defaultdict[str, Counter[int]] = defaultdict(Counter)
    connect: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    names: defaultdict[str, list[str]] = defaultdict(list)
    for link in wanted:
        listen[link.target][link.number] += 1
        connect[link.source].append(
            {"address": link.address, "port": link.number, "target": link.target,
             "setting": link.setting}
        )  # fmt: skip
    for source, name in owners:
        names[source].append(name)
    return {
        host: {
            "seconds": SECONDS,
            "listen": list(listen[host].items()),
            "connect": connect[host],
            "names": sorted(names[host]),
        }
        for host in {*listen, *connect}
    }


def _reached(answered: Mapping[str, Any]) -> Iterator[Reach]:
    for name, answer in answered.items():
        for entry in answer["links"]:
            listened = entry["port"] in answered.get(entry["target"], {}).get("listening", ())
            yield Reach(source=name, listened=listened, **entry)


def _resolved(answered: Mapping[str, Any], owners: Names) -> Iterator[Resolution]:
    for host, answer in answered.items():
        for name, found in answer["names"].items():
            owner, connects = owners[host, name]
            yield Resolution(host, owner, name, tuple(found), connects)
