"""One more round trip between hosts: does each reach what it needs of the others?"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit.cluster import Cluster
from toolkit.cluster.tables import openings
from toolkit.cluster.topology import Link, links
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.facts import Facts, Reach, Resolution
from toolkit.onhost.bundle import program

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
    owners = _names(wanted, facts)
    payloads = _payloads(wanted, owners)
    answers = remote.fan_out(hosts, program("reach"), lambda host: payloads[host.name])
    answered = {n: a for n, a in answers.items() if not isinstance(a, HostProblem)}
    return tuple(_reached(answered)), tuple(_resolved(answered, owners))


Names = dict[tuple[str, str], str]  # host and the name that has to be known there -> its owner


def _names(wanted: list[Link], facts: Mapping[str, Facts]) -> Names:
    """Airflow looks for the logs of a task at the name that its host gives itself."""
    owners = {}
    by_name = {port.setting for port in openings().values() if port.by_name}
    for link in wanted:
        network = facts[link.target].network
        if link.setting in by_name and network:
            owners[link.source, network.fqdn or network.hostname] = link.target
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
            yield Resolution(host, owners[host, name], name, tuple(found))
