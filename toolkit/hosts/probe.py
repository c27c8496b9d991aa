"""Facts of every host, in one SSH round trip a host and all hosts at once, and one between hosts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from toolkit.cluster import Cluster
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.database import examine
from toolkit.hosts.external import Service, ask, external_urls
from toolkit.hosts.facts import Facts, Probe
from toolkit.hosts.members import ask_left, left_hosts
from toolkit.hosts.payload import authorities, index_url, payload
from toolkit.hosts.reach import meet
from toolkit.onhost.bundle import program

__all__ = ["Facts", "Probe", "collect"]


def collect(cluster: Cluster, remote: Remote) -> Probe:
    """Probe the cluster's hosts; changes nothing on them.

    Returns:
        Facts of each host in play, or its problem.

    Raises:
        ToolkitError: a certificate that the settings name cannot be read.
    """
    nonce = secrets.token_hex(16)
    with ThreadPoolExecutor(max_workers=2) as pool:
        # uv is asked for its index while the connections are made.
        index = pool.submit(index_url, cluster)
        external = external_urls(cluster)
        database = pool.submit(examine, cluster, remote)
        answers = remote.fan_out(
            cluster.hosts,
            program("probe"),
            lambda host: payload(cluster, host, index.result(), external) | {"nonce": nonce},
        )
    facts, problems = {}, {}
    for name, answer in answers.items():
        if isinstance(answer, HostProblem):
            problems[name] = answer
        else:
            facts[name] = Facts.from_json(answer)
    services = tuple(_services(cluster, remote, facts, external))
    left = ask_left(cluster, remote, left_hosts(cluster, (one.claim for one in facts.values())))
    met = meet(cluster, remote, facts)
    return Probe(facts, problems, services, *met, left, database.result(), nonce)


def _services(
    cluster: Cluster, remote: Remote, facts: Mapping[str, Facts], external: Mapping[str, str]
) -> Iterator[Service]:
    """What the servers elsewhere say; asked by way of the first host that reaches them."""
    for role, url in external.items():
        for host in cluster.hosts:
            ports = facts[host.name].ports if host.name in facts else ()
            if any(port.role == role and port.result == "open" for port in ports):
                yield ask(remote, host, role, url, authorities(cluster, host))
                break
