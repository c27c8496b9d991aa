"""What would be left undone when components leave; no host needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.checks.serving import left_undone
from toolkit.cluster import Cluster
from toolkit.hosts.state import Drained, HostState, UnitState

HOSTS = """\
scheduler: {hosts: {s1: {ansible_host: 203.0.113.1}, s2: {ansible_host: 203.0.113.2}}}
webserver: {hosts: {s1: }}
worker:
  hosts:
    w1: {ansible_host: 203.0.113.3, airflow_worker_queues: [default, gpu]}
    w2: {ansible_host: 203.0.113.4}
"""
RUNS = UnitState("active", "running")
COMPONENTS = {
    "s1": ("api-server", "scheduler"),
    "s2": ("scheduler",),
    "w1": ("worker",),
    "w2": ("worker",),
}


def undone(tmp_path: Path, *leaving: tuple[str, str], **changes: dict[str, Any]) -> list[str]:
    (tmp_path / "hosts.yml").write_text(HOSTS)
    cluster = Cluster.load(tmp_path)
    found = [
        HostState(cluster.host(name), components,
                  **{"units": dict.fromkeys(components, RUNS), **changes.get(name, {})})
        for name, components in COMPONENTS.items()
    ]  # fmt: skip
    return left_undone(cluster, found, set(leaving))


def test_another_one_does_it_too(tmp_path: Path) -> None:
    assert undone(tmp_path, ("s2", "scheduler")) == []
    assert undone(tmp_path, ("w2", "worker")) == []


def test_the_last_one_of_a_kind(tmp_path: Path) -> None:
    both = (("s1", "scheduler"), ("s2", "scheduler"))
    assert undone(tmp_path, *both) == ["the last scheduler"]
    assert undone(tmp_path, ("s1", "api-server")) == ["the last api-server"]
    down = {"units": {"scheduler": UnitState("failed")}}
    assert undone(tmp_path, ("s1", "scheduler"), s2=down) == ["the last scheduler"]


def test_the_web_server_that_tasks_report_to(tmp_path: Path) -> None:
    text = HOSTS.replace("webserver: {hosts: {s1: }}", "webserver: {hosts: {s1: , s2: }}")
    (tmp_path / "hosts.yml").write_text(text)
    cluster = Cluster.load(tmp_path)
    found = [
        HostState(cluster.host(name), ("api-server",), units={"api-server": RUNS})
        for name in ("s1", "s2")
    ]
    assert left_undone(cluster, found, {("s2", "api-server")}) == []
    assert left_undone(cluster, found, {("s1", "api-server")}) == [
        "the api-server that all tasks report to"
    ]


def test_the_last_consumer_of_a_queue(tmp_path: Path) -> None:
    assert undone(tmp_path, ("w1", "worker")) == ["the last consumer of queue gpu"]
    drained = {"drained": Drained(1.0, "kim@laptop", "drain")}
    assert undone(tmp_path, ("w2", "worker"), w1=drained) == ["the last consumer of queue default"]
