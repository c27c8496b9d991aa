from __future__ import annotations

from pathlib import Path

from support.preflight_data import CELERY, good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Severity
from toolkit.hosts import HostProblem
from toolkit.hosts.facts import Probe


def test_good_hosts_have_no_findings(tmp_path: Path) -> None:
    for hosts in ({"h1": ("metadata_db", "scheduler", "webserver")}, CELERY):
        cluster = make_cluster(tmp_path, hosts)
        assert validate_hosts(cluster, probe_of(cluster)) == []


def test_a_host_that_did_not_answer_stops_everything(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    facts = dict(probe_of(cluster).facts)
    del facts["w2"]
    problem = HostProblem("sudo_password", "w2", "sudo asks user bob for a password", "add -K")
    finding = only(
        validate_hosts(cluster, Probe(facts, {"w2": problem})), "access.sudo_password", "w2"
    )
    assert (finding.severity, finding.what, finding.fix) == (
        Severity.ERROR,
        "sudo asks user bob for a password",
        "add -K",
    )


def test_what_could_not_be_found_out_is_said(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    facts = good_facts(memory=None, errors={"memory": "PermissionError: /proc/meminfo"})
    finding = only(validate_hosts(cluster, probe_of(cluster, h1=facts)), "access.incomplete", "h1")
    assert finding.severity is Severity.WARNING


def test_only_hosts_in_play_are_validated(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY).limited("worker")
    spoiled = probe_of(cluster, d1=good_facts(os=None, systemd=None, errors={"os": "gone"}))
    assert validate_hosts(cluster, spoiled) == []


def test_a_shell_that_prints_to_programs(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    facts = good_facts(chatter="Welcome to h1!")
    finding = only(
        validate_hosts(cluster, probe_of(cluster, h1=facts)), "access.chatty_shell", "h1"
    )
    assert "'Welcome to h1!'" in finding.what
