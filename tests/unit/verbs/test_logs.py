"""Lines of several hosts, merged while they come."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.hosts.journal import Line
from toolkit.hosts.way import STDOUT
from toolkit.verbs.logs import _Merging


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "hosts.yml").write_text(
        "worker: {hosts: {a: {ansible_host: 203.0.113.1}, b: {ansible_host: 203.0.113.2}}}\n"
    )
    return Cluster.load(tmp_path)


def entry(second: int) -> bytes:
    return (
        json.dumps({"__REALTIME_TIMESTAMP": second * 10**6, "MESSAGE": str(second)}).encode()
        + b"\n"
    )


def test_a_line_waits_for_an_older_one_of_a_slower_host(cluster: Cluster) -> None:
    shown: list[str] = []
    merging = _Merging(list(cluster.all_hosts), lambda line: shown.append(line.text))
    with merging:
        for name, second in (("a", 2), ("a", 3), ("b", 1)):
            merging.hear(cluster.host(name), STDOUT, entry(second))
    assert shown == ["1", "2", "3"]


def test_a_reader_that_has_seen_enough_ends_it(cluster: Cluster) -> None:
    def closed(_: Line) -> None:
        raise BrokenPipeError

    merging = _Merging(list(cluster.all_hosts), closed)
    with merging:
        merging.hear(cluster.host("a"), STDOUT, entry(1))
        deadline = time.monotonic() + 10
        while merging.closed is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        with pytest.raises(BrokenPipeError):
            merging.hear(cluster.host("b"), STDOUT, entry(2))
