"""Facts of every host, in one SSH round trip a host and all hosts at once, and one between hosts."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress

from toolkit.beside import beside
from toolkit.cluster import Cluster, Host
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.database import examine
from toolkit.hosts.external import Service, ask, external_urls
from toolkit.hosts.facts import Facts, Probe
from toolkit.hosts.members import ask_left, left_hosts
from toolkit.hosts.payload import authorities, index_url, payload
from toolkit.hosts.reach import meet
from toolkit.onhost.bundle import program

__all__ = ["Facts", "Probe", "collect"]

_AT_ONCE = 16
"""Hosts outside of the limit that are asked at once who they are."""
_PATIENCE = 3
"""Seconds that they have for it after those in play."""


def collect(cluster: Cluster, remote: Remote) -> Probe:
    """Probe the cluster's hosts; changes nothing on them.

    Returns:
        Facts of each host in play, or its problem.

    Raises:
        ToolkitError: a certificate that the settings name cannot be read.
    """
    nonce = secrets.token_hex(16)
    external = external_urls(cluster)
    database = beside(examine, cluster, remote)
    outside: dict[str, Facts] = {}
    asked = _ask_outside(cluster, remote, outside)
    # uv is asked for its index while the connections are made; it is not to outlive this process.
    with ThreadPoolExecutor(1) as pool:
        index = pool.submit(index_url, cluster)
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
    wait(asked, _PATIENCE)
    return Probe(
        facts, problems, services, *met, left, database.result(), nonce, dict(outside)
    )  # fmt: skip


def _ask_outside(
    cluster: Cluster, remote: Remote, found: dict[str, Facts]
) -> list[Future[None]]:  # fmt: skip
    """Ask hosts outside of the limit, which those in play are compared with.

    One that is down is none of this run's business, and may be what the limit is for.

    Args:
        found: filled with what they say, as it comes.
    """
    in_play = {host.name for host in cluster.hosts}
    outside = [host for host in cluster.all_hosts if host.name not in in_play]

    def ask(hosts: list[Host]) -> None:
        for host in hosts:
            with suppress(HostProblem):
                answer = remote.run_script(host, program("identity"), {}, become=False, timeout=10)
                found[host.name] = Facts.from_json(answer)

    return [beside(ask, outside[n::_AT_ONCE]) for n in range(min(_AT_ONCE, len(outside)))]


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
