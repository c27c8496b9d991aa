"""The plan of a cluster, from facts alone."""

from __future__ import annotations

import json
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.preflight_data import CELERY, SINGLE, good_facts, make_cluster, probe_of

from toolkit.cluster import Inventory
from toolkit.cluster.sizing import need
from toolkit.cluster.topology import links
from toolkit.hosts import HostProblem
from toolkit.hosts.facts import Memory, Probe
from toolkit.run import record as runs
from toolkit.verbs import plan
from toolkit.verbs.plan import bar
from toolkit.verbs.plan_graph import svg
from toolkit.verbs.provision import PREPARE


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_one_host(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, airflow_parallelism=7)
    made = plan.make(cluster, probe_of(cluster), {})
    (host,) = made.hosts
    assert host.components["postgres"] == (5432,)
    assert host.components["api-server"] == (8080,)
    assert host.memory is not None
    assert sum(host.memory.values()) == need(cluster, cluster.host("h1"), 8000, 2)
    assert {size.setting: (size.value, size.source) for size in host.sizes} == {
        "airflow_web_workers": (1, "host"),
        "airflow_parallelism": (7, "setting"),
    }
    assert made.links == ()
    assert made.servers == {"metadata_db": "postgres on h1"}
    assert made.connections_limit == 300
    assert made.packages > 190
    assert 90 < made.packages_mb < 130
    assert "no earlier run" in plan.text(made)
    assert "55 MB on each host for uv's cache (/opt/airflow/cache, for root alone" in plan.text(
        made
    )
    assert json.loads(json.dumps(made.as_json()))["hosts"][0]["memory_mb"] == 8000


@pytest.mark.parametrize(("hosts", "exposed"), [
    (SINGLE, {"h1": (8794, 8793)}),
    ({"h1": ("metadata_db", "scheduler"), "h2": ("webserver",)}, {"h1": (), "h2": ()}),
    (CELERY, {"d1": (), "a1": (8794,), "w1": (), "w2": ()}),
])  # fmt: skip
def test_ports_that_no_other_host_needs(
    tmp_path: Path, hosts: dict[str, tuple[str, ...]], exposed: dict[str, tuple[int, ...]]
) -> None:
    cluster = make_cluster(tmp_path, hosts)
    made = plan.make(cluster, probe_of(cluster), {})
    assert {host.name: host.exposed for host in made.hosts} == exposed
    ports = ", ".join(map(str, exposed.get("h1", ())))
    assert (f"exposes {ports}: " in plan.text(made)) == bool(ports)


def test_a_cluster_and_who_connects_to_whom(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    made = plan.make(cluster, probe_of(cluster), {})
    found = {(link.source, link.target, link.number) for link in made.links}
    assert found == {
        ("a1", "d1", 5432), ("a1", "d1", 6379), ("a1", "w1", 8793), ("a1", "w2", 8793),
        ("w1", "d1", 6379), ("w2", "d1", 6379), ("w1", "a1", 8080), ("w2", "a1", 8080),
    }  # fmt: skip
    slots = 2 * next(s.value for h in made.hosts for s in h.sizes if h.name == "w1")
    assert f"airflow_parallelism {slots} (from workers)" in plan.text(made)
    unknown = plan.make(cluster, replace(probe_of(cluster), facts={"a1": good_facts()}), {})
    assert "airflow_parallelism 32 (from default)" in plan.text(unknown)


def test_workers_of_airflow_2_use_the_database_and_no_api(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, airflow_version="2.11.2")
    numbers = {link.number for link in links(cluster) if link.source == "w1"}
    assert numbers == {5432, 6379}


def test_a_host_that_was_not_reached(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    facts = dict(probe_of(cluster).facts)
    del facts["w1"]
    problem = HostProblem("unreachable", "w1", "10.0.0.3 port 22 refuses connections", "start it")
    made = plan.make(cluster, Probe(facts, {"w1": problem}), {})
    assert "not reached: 10.0.0.3 port 22 refuses connections" in plan.text(made)
    assert "not reached" in svg(made)


def test_servers_that_are_run_elsewhere(tmp_path: Path) -> None:
    hosts = {"h1": ("scheduler", "webserver", "worker")}
    cluster = make_cluster(tmp_path, hosts)
    external = {"metadata_db": "db.example.com:5432", "broker": "mq.example.com:6379"}
    made = plan.make(cluster, probe_of(cluster), external)
    assert made.connections_limit is None
    assert "metadata_db: db.example.com:5432 (run elsewhere)" in plan.text(made)
    assert "db.example.com" in svg(made)


def test_the_time_of_earlier_runs(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    for result, apply in (("succeeded", True), ("failed", True), ("succeeded", False)):
        time.sleep(0.002)  # records are told apart by the millisecond
        run = runs.Run.start(cluster.directory, "provision", "toolkit provision")
        run.stages = {PREPARE.name: 1.0} if apply else {"read": 0.1}
        run.started -= 50
        run.finish(result)
    made = plan.make(cluster, probe_of(cluster), {})
    assert [round(seconds) for seconds in made.seconds] == [50]
    assert made.seconds_of == "this cluster"
    other = replace(cluster, inventory=Inventory((tmp_path / "x",)))
    assert plan.make(other, probe_of(cluster), {}).seconds_of == "other clusters"


@pytest.mark.parametrize("hosts", [SINGLE, CELERY, {f"h{n}": ("worker",) for n in range(12)}])
def test_the_picture_is_svg_with_every_host_and_component(
    tmp_path: Path, hosts: dict[str, tuple[str, ...]]
) -> None:
    cluster = make_cluster(tmp_path, hosts)
    made = plan.make(cluster, probe_of(cluster), {})
    root = ElementTree.fromstring(svg(made))
    texts = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    for host in made.hosts:
        assert host.name in texts
        assert set(host.components) <= set(texts)
    paths = [e for e in root.iter("{http://www.w3.org/2000/svg}path") if e.get("class") == "link"]
    assert len(paths) == len({(link.source, link.target) for link in made.links})


def test_names_are_escaped(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, SINGLE)
    made = replace(plan.make(cluster, probe_of(cluster), {}), cluster="a<b&c")
    assert "a&lt;b&amp;c" in svg(made)


def test_too_little_memory_is_seen_in_the_bar(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, airflow_parallelism=64)
    made = plan.make(cluster, probe_of(cluster, h1=good_facts(memory=Memory(2000))), {})
    assert made.hosts[0].memory is not None
    assert "|" in bar(made.hosts[0].memory, 2000)


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=12), st.integers(500, 500_000))
def test_a_bar_is_as_long_as_it_should_be(parts: list[int], total: int) -> None:
    drawn = bar({str(n): part for n, part in enumerate(parts)}, total, 60)
    assert len(drawn) == (61 if sum(parts) > total else 60)
    free = drawn.count(".")
    assert abs(free - max(0, 60 * (total - sum(parts)) / total)) <= 1
