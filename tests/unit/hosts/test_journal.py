"""What journals say, and how they are asked."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.journal import (
    Wanted,
    command,
    newest,
    parsed,
    refuse_unknown,
    since_words,
    units,
)

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


def entry(**fields: object) -> str:
    return json.dumps({"__REALTIME_TIMESTAMP": "1700000000250000", "PRIORITY": "6", **fields})


def test_a_line_of_a_unit() -> None:
    line = parsed(
        "w1", entry(_SYSTEMD_UNIT="airflow-worker.service", MESSAGE="hello\nworld", PRIORITY="3")
    )
    assert line is not None
    assert (line.time, line.host, line.unit, line.text, line.priority) == (
        1700000000.25,
        "w1",
        "worker",
        "hello\nworld",
        3,
    )


def test_what_systemd_says_of_a_unit_is_the_unit_s() -> None:
    line = parsed(
        "w1", entry(_SYSTEMD_UNIT="init.scope", UNIT="airflow-worker.service", MESSAGE="Started")
    )
    assert line and line.unit == "worker"


def test_an_audit_line() -> None:
    line = parsed(
        "w1",
        entry(
            _SYSTEMD_UNIT="session-1.scope",
            SYSLOG_IDENTIFIER="airflow-toolkit",
            MESSAGE="kim@ops deploy",
        ),
    )
    assert line and (line.unit, line.text) == ("airflow-toolkit", "kim@ops deploy")


@pytest.mark.parametrize(
    ("message", "text"), [([104, 255], "h�"), (None, ""), (["a"], None), ("", "")]
)
def test_messages_of_every_form(message: object, text: str | None) -> None:
    line = parsed("w1", entry(_SYSTEMD_UNIT="x.service", MESSAGE=message))
    assert (line.text if line else None) == text


@pytest.mark.parametrize(
    "text", ["", "-- No entries --", "{}", "[]", "{", '{"MESSAGE": "no time"}']
)
def test_what_is_no_entry(text: str) -> None:
    assert parsed("w1", text) is None


def test_the_newest_of_all_hosts_in_their_order() -> None:
    lines = [
        parsed(host, json.dumps({"__REALTIME_TIMESTAMP": time, "MESSAGE": ""}))
        for host, time in (("a", 3), ("b", 1), ("a", 2))
    ]
    assert [line.host for line in newest([one for one in lines if one], 2)] == ["a", "a"]


def test_times_in_short() -> None:
    assert [since_words(text) for text in ("10m", "2 h", "90min", "today", "2026-11-27")] == [
        "-10m", "-2h", "-90min", "today", "2026-11-27",
    ]  # fmt: skip


def test_the_units_of_a_host(cluster: Cluster) -> None:
    db, s1, w1 = (cluster.host(name) for name in ("db", "s1", "w1"))
    assert units(cluster, w1) == ["airflow-worker.service"]
    assert units(cluster, s1, ["scheduler"]) == ["airflow-scheduler.service"]
    assert units(cluster, w1, ["scheduler"]) == []
    assert "postgresql@*-main.service" in units(cluster, db, ["postgres"])
    assert {"redis6.service", "redis-server.service"} <= set(units(cluster, db, ["redis"]))


def test_a_component_that_no_host_has(cluster: Cluster) -> None:
    refuse_unknown(cluster, cluster.hosts, ["worker", "postgres"])
    with pytest.raises(ToolkitError, match="no host in play runs webserver") as refused:
        refuse_unknown(cluster, cluster.hosts, ["webserver"])
    assert "api-server" in str(refused.value.fix)


def test_the_line_that_is_run() -> None:
    line = command(
        ["airflow-x.service", "p@*.service"],
        Wanted(follow=True, since="10m", grep="a b|c'd", lines=7),
    )
    assert "'--unit=p@*.service'" in line
    assert "--since=-10m" in line
    assert line.endswith("--follow")
    assert "--identifier=airflow-toolkit" in command([], Wanted(audit=True))


def test_the_newest_lines_are_asked_for_whatever_the_time() -> None:
    """With --since journalctl counts from the oldest on, unless it reads backwards."""
    assert command([], Wanted(since="10m", lines=7)).endswith("--lines=7 --reverse")
    assert "--lines" not in command([], Wanted(follow=True, since="10m", lines=7))
    assert command([], Wanted(follow=True, lines=7)).endswith("--lines=7 --follow")


@pytest.mark.skipif(not shutil.which("journalctl"), reason="no journalctl here")
def test_journalctl_understands_it() -> None:
    line = command(["airflow-x.service"], Wanted(since="10m", lines=1))
    assert subprocess.run(["sh", "-c", line], check=False, capture_output=True).returncode in (0, 1)
