"""Thousands of hosts: twice as many cost twice as much, counted in calls and not in seconds."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import good_facts

from toolkit import checks
from toolkit.cluster import Cluster
from toolkit.cluster.topology import links
from toolkit.findings import findings_text
from toolkit.hosts.facts import Probe
from toolkit.hosts.payload import payload
from toolkit.hosts.reach import _names, _payloads
from toolkit.verbs import plan
from toolkit.verbs.validate import validate

Work = Callable[[Cluster, Probe], object]

WORK: dict[str, Work] = {
    "load": lambda cluster, _: Cluster.load(cluster.directory),
    "read": lambda cluster, _: validate(Cluster.load(cluster.directory)),
    "limit": lambda cluster, _: cluster.limited("worker[1:]:!w1:*").hosts,
    "payload": lambda cluster, _: [payload(cluster, one, "http://x", {}) for one in cluster.hosts],
    "links": lambda cluster, probe: _payloads(list(links(cluster)), _names(cluster, list(links(cluster)), probe.facts)),
    "rules": lambda cluster, probe: findings_text(checks.validate_hosts(cluster, probe)),
    "plan": lambda cluster, probe: plan.text(plan.make(cluster, probe, {})),
}  # fmt: skip


def cluster_of(directory: Path, workers: int) -> Cluster:
    """One control host, and workers, half of them in groups of ten below others."""
    directory.mkdir()
    lines = [f"{group}: {{hosts: {{h0: {{ansible_host: 127.9.0.1}}}}}}"
             for group in ("metadata_db", "broker", "scheduler", "webserver")]  # fmt: skip
    lines += ["worker:", "  hosts:"]
    lines += [f"    w{n}: {{ansible_host: 127.1.{n // 250}.{n % 250 + 1}}}" for n in range(workers)]
    for n in range(0, workers // 2, 10):
        lines += [f"rack{n}: {{hosts: {{{', '.join(f'w{n + m}: ' for m in range(10))}}}}}"]
    lines += [
        "racks: {children: {" + ", ".join(f"rack{n}: " for n in range(0, workers // 2, 10)) + "}}"
    ]
    (directory / "hosts.yml").write_text("\n".join(lines) + "\n")
    return Cluster.load(directory)


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions, Python's own included, a piece of work takes."""
    counted = 0

    def count(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return counted


@pytest.mark.parametrize("name", WORK)
def test_twice_the_hosts_are_twice_the_work(tmp_path: Path, name: str) -> None:
    taken = []
    for workers in (60, 60, 120, 240):  # the first fills the caches
        cluster = cluster_of(tmp_path / f"{len(taken)}", workers)
        facts = {host.name: good_facts(n % 200 + 1) for n, host in enumerate(cluster.hosts)}
        taken.append(calls(partial(WORK[name], cluster, Probe(facts))))
    _, small, middle, large = taken
    assert large - middle < 2.4 * (middle - small) + 2000, taken


def test_a_chain_of_thousands_of_groups_and_one_in_a_circle(tmp_path: Path) -> None:
    chain = "".join(f"g{n}: {{children: {{g{n + 1}: }}}}\n" for n in range(2000))
    (tmp_path / "hosts.yml").write_text(chain + "g2000: {hosts: {h1: }}\n")
    assert len(Cluster.load(tmp_path).host("h1").groups) == 2001
    (tmp_path / "hosts.yml").write_text(chain + "g2000: {children: {g0: }, hosts: {h1: }}\n")
    with pytest.raises(Exception, match="is below itself"):
        Cluster.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["a: {children: {a: }}\nb: {hosts: {h1: }}\n", "a: {children: {b: }}\nb: {children: {a: }}\nall: {hosts: {h1: }}\n",
             "x: {children: {all: }, hosts: {h1: }}\n", "a: {children: {b: {children: {c: {children: {b: }}}}}, hosts: {h1: }}\n"]
)  # fmt: skip
def test_groups_in_a_circle(tmp_path: Path, text: str) -> None:
    (tmp_path / "hosts.yml").write_text(text)
    with pytest.raises(Exception, match="is below itself"):
        Cluster.load(tmp_path)
