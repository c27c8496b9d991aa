"""What is said of a task's log that there is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import EXIT_FAILED, EXIT_REFUSED, ToolkitError
from toolkit.hosts import HostProblem
from toolkit.hosts.task_log import Asked, ByApi, Entry, InFiles, refuse_wrong_pattern
from toolkit.verbs.task_log import heading, missing, not_begun, unknown

HOSTS = """\
scheduler: {hosts: {s1: {ansible_host: 203.0.113.2}}}
webserver: {hosts: {s1: }}
worker: {hosts: {w1: {ansible_host: 203.0.113.3}, w2: {ansible_host: 203.0.113.4}}}
"""
ASKED = Asked("shop", "extract")
RAN = ByApi(run="r1", attempt=1, tries=2, state="failed", hostname="ip-203-0-113-3.internal")
GONE = HostProblem("unreachable", "w1", "no answer", "start it")


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    (tmp_path / "hosts.yml").write_text(HOSTS)
    return Cluster.load(tmp_path)


def said(cluster: Cluster, hostname: str, there: dict[str, InFiles], *gone: HostProblem) -> str:
    by_api = ByApi(run="r1", attempt=1, tries=2, hostname=hostname)
    error = missing(cluster, ASKED, by_api, there, list(gone))
    assert error.exit_code == EXIT_FAILED
    assert error.fix
    return str(error)


def test_a_host_that_is_gone_is_named(cluster: Cluster) -> None:
    text = said(cluster, "w1", {}, GONE)
    assert "try 1 of shop.extract in run r1 ran on w1, which cannot be reached: no answer" in text
    assert "start it" in text
    assert "on w1, which cannot be reached" in said(cluster, "w1.example.com", {}, GONE)
    assert "on w1, which cannot be reached" in said(cluster, "203.0.113.3", {}, GONE)


def test_airflows_name_of_a_host_may_be_another(cluster: Cluster) -> None:
    there = {"w2": InFiles(names=("ip-4",))}
    assert "ran on w2, where /var/log/airflow/dag_id=shop/" in said(cluster, "ip-4", there)
    assert "none of the hosts that answer; not reached: w1" in said(cluster, "ip-3", there, GONE)
    assert "which is no host of" in said(cluster, "ip-3", there)
    assert "which --limit leaves out" in said(cluster, "w1", there)


def test_nobody_knows_who_ran_it(cluster: Cluster) -> None:
    text = str(missing(cluster, ASKED, ByApi(error="down"), {}, [GONE]))
    assert "no host that answers has a log of shop.extract; w1 cannot be reached" in text


@pytest.mark.usefixtures("cluster")
def test_a_file_that_has_another_name(tmp_path: Path) -> None:
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text(
        "airflow_config: {logging: {log_filename_template: mine.log}}\n"
    )
    there = {"w1": InFiles(names=("w1",))}
    assert "names files: mine.log" in said(Cluster.load(tmp_path), "w1", there)


@pytest.mark.parametrize(
    ("asked", "found", "says"),
    [
        (Asked("shpo", "extract"), ByApi("dag", ("shop", "other")), ["no DAG shpo", "use one of: shop"]),
        (ASKED, ByApi("dag"), ["no DAG shop", "dags list"]),
        (Asked("shop", "x"), ByApi("task", tuple("abcdefghij")), ["no task x", "a, b, c, d, e, f, g, h and 2 more"]),
        (Asked("shop", "extract", "r9"), ByApi("run", ("r1",)), ["no run r9", "leave it out"]),
        (ASKED, ByApi("begun", ("extract",)), ["no run of DAG shop has task extract yet", "dags trigger shop"]),
        (Asked("shop", "extract", "r1"), ByApi("begun", ("extract",)), ["run r1 has no task extract"]),
        (Asked("shop", "extract", attempt=3), ByApi("try", (1, 2)), ["no try 3", "--try with one of: 1, 2"]),
        (Asked("shop", "extract", attempt=1), ByApi("try"), ["no try 1", "-f waits"]),
        (ASKED, ByApi("map_index", (0, 1)), ["several instances", "--map-index with one of: 0, 1"]),
        (Asked("shop", "extract", map_index=0), ByApi("map_index", (-1,)), ["leave out --map-index"]),
    ],
)  # fmt: skip
def test_what_there_is_instead(
    cluster: Cluster, asked: Asked, found: ByApi, says: list[str]
) -> None:
    error = unknown(asked, found, cluster)
    assert error.exit_code == EXIT_REFUSED
    for words in says:
        assert words in str(error)


def test_which_log_it_is(cluster: Cluster) -> None:
    assert heading(ASKED, RAN) == f"shop.extract, run r1, try 1 of 2, failed on {RAN.hostname}"
    waiting = ByApi(run="r1", map_index=2, state="queued")
    assert heading(ASKED, waiting) == "shop.extract[2], run r1, queued"
    assert "-f waits for it" in str(not_begun(ASKED, waiting, cluster))
    skipped = ByApi(run="r1", state="skipped", ended=True)
    assert "dags list-runs shop" in str(not_begun(ASKED, skipped, cluster))


def test_entries_and_patterns() -> None:
    entry: Any = Entry("boom", "2026-11-27T21:33:01.5+00:00", "error", "shop").as_json()
    assert entry == {"time": 1795815181.5, "level": "error", "logger": "shop", "text": "boom"}
    assert Entry("on").seconds is None
    with pytest.raises(ToolkitError, match="no regular expression"):
        refuse_wrong_pattern("[")
