"""Facts of every host, in one SSH round trip a host and all hosts at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files

from toolkit.cluster import Cluster
from toolkit.probe.facts import Facts, Probe
from toolkit.probe.payload import index_url, payload
from toolkit.remote import HostProblem, Remote

__all__ = ["Facts", "Probe", "collect"]


def collect(cluster: Cluster, remote: Remote) -> Probe:
    """Probe the cluster's hosts; changes nothing on them.

    Returns:
        Facts of each host in play, or its problem.

    Raises:
        ToolkitError: a certificate that the settings name cannot be read.
    """
    script = (files(__package__) / "host_facts.py").read_text(encoding="ascii")
    with ThreadPoolExecutor(max_workers=1) as pool:
        # uv is asked for its index while the connections are made.
        index = pool.submit(index_url, cluster)
        answers = remote.fan_out(
            cluster.hosts, script, lambda host: payload(cluster, host, index.result())
        )
    facts, problems = {}, {}
    for name, answer in answers.items():
        if isinstance(answer, HostProblem):
            problems[name] = answer
        else:
            facts[name] = Facts.from_json(answer)
    return Probe(facts, problems)
