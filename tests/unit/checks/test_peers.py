from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, SINGLE, good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Finding, Severity
from toolkit.hosts.facts import Facts, Machine, Names, Probe
from toolkit.hosts.tried import Reach, Resolution


def findings(directory: Path, name: str = "w1", number: int = 3, **changes: Any) -> list[Finding]:
    cluster = make_cluster(directory, CELERY)
    return validate_hosts(cluster, probe_of(cluster, **{name: good_facts(number, **changes)}))


@pytest.mark.parametrize(
    ("seconds", "severity"), [(0.5, None), (3, Severity.WARNING), (60, Severity.ERROR)]
)
@pytest.mark.parametrize("sign", [1, -1])
def test_clocks(tmp_path: Path, seconds: float, severity: Severity | None, sign: int) -> None:
    shift = seconds * sign
    found = findings(tmp_path, clock_start=100.2 + shift, clock_end=100.4 + shift)
    if severity is None:
        assert found == []
    else:
        finding = only(found, "peers.clock", found[0].host)
        assert finding.severity is severity
        assert "w1" in (finding.host, finding.what.split()[-1])


def test_a_slow_answer_is_no_wrong_clock(tmp_path: Path) -> None:
    assert findings(tmp_path, sent=92.0, received=109.0) == []


def test_one_host_has_nothing_to_be_compared_with(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    probe = probe_of(cluster, h1=good_facts(clock_start=5000.0, clock_end=5000.2))
    assert validate_hosts(cluster, probe) == []


def test_two_hosts_of_one_name(tmp_path: Path) -> None:
    names = Names("h4", "h4", ("10.0.0.3",))
    finding = only(findings(tmp_path, network=names), "peers.hostname", "w1")
    assert "w1 and w2 are all called h4" in finding.what


def test_a_database_host_may_share_a_worker_s_name(tmp_path: Path) -> None:
    names = Names("h4", "h4", ("10.0.0.1",))
    assert findings(tmp_path, "d1", 1, network=names) == []


def test_copied_machines(tmp_path: Path) -> None:
    machine = Machine(architecture="x86_64", cpus=2, id="id-4")
    finding = only(findings(tmp_path, machine=machine), "peers.machine_id", "w1")
    assert finding.severity is Severity.WARNING


def limited(directory: Path, limit: str, **outside: Facts) -> list[Finding]:
    """What is found of hosts in play, compared with those outside of the limit."""
    directory.mkdir(exist_ok=True)
    cluster = make_cluster(directory, CELERY).limited(limit)
    every = probe_of(cluster, **outside).facts
    names = {host.name for host in cluster.hosts}
    inside = {name: facts for name, facts in every.items() if name in names}
    others = {name: facts for name, facts in every.items() if name not in names}
    return validate_hosts(cluster, Probe(inside, outside=others))


def test_a_new_host_that_is_a_copy_of_one_outside_of_the_limit(tmp_path: Path) -> None:
    copy = Names("h4", "h4", ("10.0.0.3",))
    finding = only(limited(tmp_path, "w2", w1=good_facts(3, network=copy)), "peers.hostname", "w2")
    assert "w2 and w1 are all called h4" in finding.what
    machine = Machine(architecture="x86_64", cpus=2, id="id-4")
    only(limited(tmp_path / "2", "w2", w1=good_facts(3, machine=machine)), "peers.machine_id", "w2")


def test_hosts_outside_of_the_limit_are_not_compared_with_each_other(tmp_path: Path) -> None:
    copy = good_facts(3, network=Names("h4", "h4", ("10.0.0.3",)), machine=Machine(id="id-4"))
    assert limited(tmp_path, "d1", w1=copy) == []
    late = good_facts(3, clock_start=160.2, clock_end=160.4)
    assert limited(tmp_path / "2", "d1:w1", d1=good_facts(1), w1=good_facts(3)) == []
    (finding,) = limited(tmp_path / "3", "d1", w1=late)
    assert (finding.id, finding.host) == ("peers.clock", "d1")
    early = {"w1": late, "w2": good_facts(4, clock_start=159.2, clock_end=159.4)}
    (finding,) = limited(tmp_path / "4", "d1", **early)
    assert (finding.id, finding.what.split()[-1]) == ("peers.clock", "w1")


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_host": "203.0.113.7"}, "203.0.113.7 is none of this host's addresses"),
        ({"base_address": "10.9.9.9"}, "10.9.9.9 is none of this host's addresses"),
        ({"ansible_host": "127.0.0.1", "ansible_port": 2222}, "loopback"),
        ({"ansible_host": "localhost"}, "cannot reach localhost, which is loopback"),
        ({"ansible_connection": "local", "ansible_host": None}, "only the inventory knows"),
    ],
)
def test_an_address_that_the_others_cannot_use(
    tmp_path: Path, variables: dict[str, Any], says: str
) -> None:
    cluster = make_cluster(tmp_path, CELERY, {"d1": variables})
    finding = only(validate_hosts(cluster, probe_of(cluster)), "peers.address", "d1")
    assert says in finding.what
    assert finding.fix.startswith("set base_address: 10.0.0.1 for d1")


@pytest.mark.parametrize(
    "variables",
    [
        {"ansible_host": "203.0.113.7", "base_address": "10.0.0.1"},
        {"ansible_host": "db.example.com"},
    ],
)
def test_an_address_that_is_the_host_s_own_or_a_name(
    tmp_path: Path, variables: dict[str, Any]
) -> None:
    cluster = make_cluster(tmp_path, CELERY, {"d1": variables})
    assert validate_hosts(cluster, probe_of(cluster)) == []


def test_a_single_host_may_be_reached_by_any_address(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, host_variables={"h1": {"ansible_host": "203.0.113.7"}})
    assert validate_hosts(cluster, probe_of(cluster)) == []


@pytest.mark.parametrize(
    ("variables", "reported"),
    [
        ({"ansible_connection": "local", "ansible_host": None}, True),
        ({"ansible_connection": "local", "base_address": "10.0.0.1"}, False),
        ({"ansible_host": None}, False),  # SSH knows the name, so others may
    ],
)
def test_a_single_host_without_ssh_needs_a_name_for_its_users(
    tmp_path: Path, variables: dict[str, Any], reported: bool
) -> None:
    named = {"airflow.internal": variables}
    cluster = make_cluster(tmp_path, {"airflow.internal": SINGLE["h1"]}, named)
    found = [one.id for one in validate_hosts(cluster, probe_of(cluster))]
    assert ("peers.local_address" in found) is reported


def named(directory: Path, *names: Resolution, **more: Any) -> list[Finding]:
    cluster = make_cluster(directory, CELERY)
    return validate_hosts(cluster, replace(probe_of(cluster), names=names, **more))


@pytest.mark.parametrize(("addresses", "what"), [
    ((), "is not known there"),
    (("127.0.1.1",), "leads to 127.0.1.1 there"),
    (("127.0.0.1", "::1"), "leads to 127.0.0.1 and ::1 there"),
])  # fmt: skip
def test_a_base_address_that_a_host_does_not_know(
    tmp_path: Path, addresses: tuple[str, ...], what: str
) -> None:
    link = Reach("w1", "d1", "db.example", 5432, "postgres_port", "refused", "", True)
    wrong = Resolution("w1", "d1", "db.example", addresses, connects=True)
    finding = only(named(tmp_path, wrong, reach=(link,)), "peers.name", "w1")
    assert finding.severity is Severity.ERROR
    assert f"db.example, the base_address of d1, {what}" in finding.what
    assert "echo '10.0.0.1 db.example' | sudo tee -a /etc/hosts" in finding.fix


def test_a_base_address_may_be_the_name_of_a_gateway(tmp_path: Path) -> None:
    assert (
        named(tmp_path, Resolution("w1", "d1", "db.example", ("203.0.113.7",), connects=True)) == []
    )


@pytest.mark.parametrize("network", [
    Names("w1", "localhost", ("10.0.0.3",)),
    Names("w1", "localhost.localdomain", ("10.0.0.3",)),
    Names("localhost", "ip6-localhost", ("10.0.0.3",)),
])  # fmt: skip
def test_a_host_that_calls_itself_localhost(tmp_path: Path, network: Names) -> None:
    finding = only(findings(tmp_path, network=network), "peers.own_name", "w1")
    assert finding.severity is Severity.ERROR
    if network.hostname == "w1":
        assert "127.0.1.1 w1" in finding.fix
    else:
        assert "hostnamectl set-hostname NAME, for example w1" in finding.fix


def test_a_host_alone_may_call_itself_localhost(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    facts = good_facts(network=Names("h1", "localhost", ("10.0.0.1",)))
    assert validate_hosts(cluster, probe_of(cluster, h1=facts)) == []


def test_a_database_host_may_call_itself_localhost(tmp_path: Path) -> None:
    assert findings(tmp_path, "d1", 1, network=Names("d1", "localhost", ("10.0.0.1",))) == []
