"""What is made of connections between hosts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.preflight_data import CELERY, good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Finding
from toolkit.hosts.tried import PortCheck, Reach, Resolution

OPEN = Reach("w1", "d1", "10.0.0.1", 6379, "redis_port", "open", "", True)


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
