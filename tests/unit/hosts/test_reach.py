"""Do hosts reach each other: the script on this machine, and what is made of its answers."""

from __future__ import annotations

import ast
import runpy
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Finding
from toolkit.hosts.facts import PortCheck, Reach, Resolution

SCRIPT = Path(__file__).parents[3] / "toolkit" / "onhost" / "host_reach.py"
OPEN = Reach("w1", "d1", "10.0.0.1", 6379, "redis_port", "open", "", True)


def meet(**payload: Any) -> dict[str, Any]:
    whole = {"seconds": 0.5, "listen": [], "connect": [], "names": []} | payload
    found: dict[str, Any] = runpy.run_path(str(SCRIPT))["main"](whole)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def to(port: int) -> dict[str, Any]:
    return {"address": "127.0.0.1", "port": port, "target": "x", "setting": "x_port"}


def test_the_script_runs_under_old_pythons() -> None:
    ast.parse(SCRIPT.read_text(encoding="ascii"), feature_version=(3, 6))


def test_a_port_that_it_listens_on_is_open_and_closed_afterwards() -> None:
    port, begun = free_port(), time.monotonic()
    found = meet(seconds=5, listen=[[port, 1]], connect=[to(port)])
    assert (found["listening"], found["links"][0]["result"]) == ([port], "open")
    assert time.monotonic() - begun < 2  # it does not wait when everybody has come
    assert meet(connect=[to(port)])["links"][0]["result"] == "refused"


def test_a_port_that_something_has_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = meet(listen=[[port, 1]], connect=[to(port)])
    assert (found["listening"], found["links"][0]["result"]) == ([], "open")


def test_names() -> None:
    found = meet(names=["localhost", "no-such-host.invalid"])["names"]
    assert "127.0.0.1" in found["localhost"]
    assert found["no-such-host.invalid"] == []


def findings(directory: Path, *reach: Reach, names: tuple[Resolution, ...] = ()) -> list[Finding]:
    cluster = make_cluster(directory, CELERY)
    return validate_hosts(cluster, replace(probe_of(cluster), reach=reach, names=names))


@pytest.mark.parametrize(
    ("result", "listened", "needle"),
    [("refused", True, "is rejected"), ("timeout", True, "does not get through"),
     ("error", False, "does not get through")],
)  # fmt: skip
def test_a_firewall_between_two_hosts(
    tmp_path: Path, result: str, listened: bool, needle: str
) -> None:
    blocked = replace(OPEN, result=result, listened=listened)
    found = only(findings(tmp_path, OPEN, blocked), "network.firewall", "d1")
    assert needle in found.what
    assert "6379" in found.fix


def test_nothing_listens_yet_is_no_firewall(tmp_path: Path) -> None:
    assert findings(tmp_path, replace(OPEN, result="refused", listened=False)) == []


def test_what_the_first_look_found_is_not_said_twice(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    check = PortCheck("10.0.0.1", 6379, "broker", "d1", "timeout", "no answer in time")
    probe = probe_of(cluster, w1=good_facts(3, ports=(check,)))
    found = validate_hosts(cluster, replace(probe, reach=(replace(OPEN, result="timeout"),)))
    assert ids(found) == ["network.peer"]


@pytest.mark.parametrize(
    ("addresses", "needle"), [((), "is not known"), (("10.9.9.9",), "leads to 10.9.9.9")]
)
def test_a_name_that_leads_elsewhere(
    tmp_path: Path, addresses: tuple[str, ...], needle: str
) -> None:
    right = Resolution("a1", "w2", "w2", ("10.0.0.4",))
    wrong = Resolution("a1", "w1", "w1.example.com", addresses)
    found = only(findings(tmp_path, names=(right, wrong)), "peers.resolution", "a1")
    assert needle in found.what
    assert "10.0.0.3 w1.example.com" in found.fix
