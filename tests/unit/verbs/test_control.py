"""In which order components start and stop, and which are in play; no host needed."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.draining import Running
from toolkit.hosts.state import Drained, HostState
from toolkit.verbs.control import Control, Wanted, in_play, order
from toolkit.verbs.drain import workers
from toolkit.verbs.draining import listed

HOSTS = """\
metadata_db: {hosts: {db: {ansible_host: 203.0.113.1}}}
broker: {hosts: {db: }}
scheduler: {hosts: {s1: {ansible_host: 203.0.113.2}}}
webserver: {hosts: {s1: }}
worker: {hosts: {w1: {ansible_host: 203.0.113.3}}}
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "hosts.yml").write_text(HOSTS)
    return Cluster.load(tmp_path)


def test_servers_start_first_and_workers_last(cluster: Cluster) -> None:
    assert order(cluster, "start") == [
        "postgres", "redis", "api-server", "scheduler", "dag-processor", "triggerer", "worker",
    ]  # fmt: skip


def test_nothing_new_begins_and_tasks_report_until_the_end(cluster: Cluster) -> None:
    assert order(cluster, "stop") == [
        "scheduler", "dag-processor", "triggerer", "worker", "api-server", "redis", "postgres",
    ]  # fmt: skip


def test_servers_are_in_play_when_they_are_named(cluster: Cluster) -> None:
    assert "postgres" not in in_play(cluster, "stop", Wanted())
    found = in_play(cluster, "start", Wanted(("worker", "postgres")))
    assert {name: [host.name for host in hosts] for name, hosts in found.items()} == {
        "postgres": ["db"],
        "worker": ["w1"],
    }
    limited = cluster.limited("w1")
    assert list(in_play(limited, "stop", Wanted())) == ["worker"]
    with pytest.raises(ToolkitError, match="no host in play runs scheduler"):
        in_play(limited, "stop", Wanted(("scheduler",)))


@pytest.mark.parametrize(("why", "stays"), [("drain", True), ("remove", True), ("restart", False)])
def test_only_a_rolling_restart_goes_on_with_what_it_has_drained(
    cluster: Cluster, why: str, stays: bool
) -> None:
    said: list[str] = []
    ended: list[str] = []
    work: Any = SimpleNamespace(progress=SimpleNamespace(say=said.append, reword=ended.append))
    control = Control(cluster, work, "restart", Wanted(rolling=True))
    host = cluster.host("w1")
    control.found = {"w1": HostState(host, ("worker",), drained=Drained(1.0, "kim@laptop", why))}
    assert control._at_work("worker", [host]) == ([] if stays else [host])
    assert ended == (["worker restarted on no host"] if stays else [])
    assert said == (["w1 is drained, by kim@laptop: its worker stays as it is"] if stays else [])


def test_only_workers_are_drained(cluster: Cluster) -> None:
    with pytest.raises(ToolkitError, match="runs no worker") as refused:
        workers(cluster, "s1")
    assert refused.value.fix == "use one of: w1"
    with pytest.raises(ToolkitError, match="nohost is no host of"):
        workers(cluster, "nohost")


def test_tasks_are_listed_the_longest_first() -> None:
    now = time.time()
    tasks = [
        Running("a", "x", "r", now - 5),
        Running("b", "y", "r", now - 600),
        Running("c", "z", "r", None),
    ]
    assert listed(tasks) == "3 tasks: b.y for 10 min, a.x for 5 s, ..."
    assert listed(tasks[2:]) == "1 task: c.z"
    assert listed([]) == ""
