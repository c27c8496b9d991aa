"""One more round trip between hosts: does each reach what it needs of the others?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.components import links
from toolkit.probe.facts import Facts, Reach, Resolution
from toolkit.remote import HostProblem, Remote

SECONDS = 2.0
"""How long hosts wait for each other; over as soon as all connections are made."""
_LOG_PORTS = ("airflow_worker_log_port", "airflow_triggerer_log_port")


def meet(
    cluster: Cluster, remote: Remote, facts: Mapping[str, Facts]
) -> tuple[tuple[Reach, ...], tuple[Resolution, ...]]:
    """Have the hosts that answered connect to each other.

    Returns:
        What came of each connection, and of each name that has to be known.
    """
    playing = {host.name for host in cluster.hosts} & set(facts)
    wanted = [link for link in links(cluster) if {link.source, link.target} <= playing]
    if not wanted:
        return (), ()
    expected = {(link.target, link.number): 0 for link in wanted}
    expected |= Counter((link.target, link.number) for link in wanted)

    def payload(host: Host) -> dict[str, Any]:
        return {
            "seconds": SECONDS,
            "listen": [[port, n] for (name, port), n in expected.items() if name == host.name],
            "connect": [
                {"address": link.address, "port": link.number, "target": link.target,
                 "setting": link.setting}
                for link in wanted
                if link.source == host.name
            ],
            "names": sorted(names[host.name]),
        }  # fmt: skip

    names: dict[str, set[str]] = {name: set() for name in playing}
    owner: dict[str, str] = {}
    for link in wanted:
        network = facts[link.target].network
        if link.setting in _LOG_PORTS and network:
            # Airflow looks for the logs of a task at the name that its host gives itself.
            names[link.source].add(network.fqdn or network.hostname)
            owner[network.fqdn or network.hostname] = link.target
    script = (files(__package__) / "host_reach.py").read_text(encoding="ascii")
    hosts = [
        host
        for host in cluster.hosts
        if host.name in {n for x in wanted for n in (x.source, x.target)}
    ]
    answers = remote.fan_out(hosts, script, payload)
    answered = {n: a for n, a in answers.items() if not isinstance(a, HostProblem)}
    reached = tuple(
        Reach(
            source=name,
            listened=entry["port"] in answered.get(entry["target"], {}).get("listening", ()),
            **entry,
        )
        for name, answer in answered.items()
        for entry in answer["links"]
    )
    resolved = tuple(
        Resolution(name, owner[asked], asked, tuple(found))
        for name, answer in answered.items()
        for asked, found in answer["names"].items()
    )
    return reached, resolved
