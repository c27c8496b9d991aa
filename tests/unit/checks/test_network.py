from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.cluster.lock import release_name
from toolkit.findings import Finding, Severity
from toolkit.hosts.facts import Airflow, Proxies, Release
from toolkit.hosts.tried import PortCheck, UrlCheck

INDEX = "https://index.example.com/simple/apache-airflow/"
MIRROR = "http://mirror.example.com/debian/dists/bookworm/InRelease"


def findings(directory: Path, **changes: Any) -> list[Finding]:
    cluster = make_cluster(directory)
    return validate_hosts(cluster, probe_of(cluster, h1=good_facts(**changes)))


@pytest.mark.parametrize(
    ("result", "detail", "what", "fix"),
    [
        ("dns", "Name or service not known", "its name is not known", "python_index_url"),
        ("refused", "Connection refused", "refuses connections", "HTTPS_PROXY"),
        ("timeout", "no answer in time", "does not answer", "HTTPS_PROXY"),
        ("tls", "self-signed certificate", "not trusted", "base_ca_certificates"),
        ("http", "404", "HTTP status 404", "simple API"),
    ],
)
def test_the_package_index(tmp_path: Path, result: str, detail: str, what: str, fix: str) -> None:
    url = UrlCheck(INDEX, "index", "", result, detail)
    finding = only(findings(tmp_path, urls=(url,)), "network.index", "h1")
    assert finding.severity is Severity.ERROR
    assert INDEX in finding.what
    assert what in finding.what
    assert fix in finding.fix


def test_an_index_that_answers(tmp_path: Path) -> None:
    assert findings(tmp_path, urls=(UrlCheck(INDEX, "index", "", "ok", ""),)) == []


def test_an_environment_that_is_built_needs_no_index(tmp_path: Path) -> None:
    url = UrlCheck(INDEX, "index", "", "refused", "Connection refused")
    name = release_name(make_cluster(tmp_path))
    built = Airflow(ours=True, releases=(Release(name, complete=True),))
    assert findings(tmp_path, urls=(url,), airflow=built) == []
    begun = Airflow(ours=True, releases=(Release(name, complete=False),))
    only(findings(tmp_path, urls=(url,), airflow=begun), "network.index", "h1")


def test_a_mirror(tmp_path: Path) -> None:
    url = UrlCheck(MIRROR, "mirror", "/etc/apt/sources.list", "dns", "unknown")
    finding = only(findings(tmp_path, urls=(url,)), "network.mirror", "h1")
    assert finding.severity is Severity.ERROR
    assert "/etc/apt/sources.list" in finding.what
    installed = Airflow(ours=True, configured=True)
    finding = only(findings(tmp_path, urls=(url,), airflow=installed), "network.mirror", "h1")
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(("result", "bad"), [("open", False), ("refused", False),
                                             ("timeout", True), ("dns", True), ("error", True)])  # fmt: skip
def test_servers_to_come_must_not_be_walled_off(tmp_path: Path, result: str, bad: bool) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    port = PortCheck("10.0.0.1", 6379, "broker", "d1", result, "detail")
    found = validate_hosts(cluster, probe_of(cluster, w1=good_facts(3, ports=(port,))))
    if bad:
        assert "d1 at 10.0.0.1 port 6379" in only(found, "network.peer", "w1").what
    else:
        assert found == []


@pytest.mark.parametrize(("role", "setting"), [("metadata_db", "metadata_db_url"),
                                               ("broker", "broker_url")])  # fmt: skip
def test_external_servers_must_answer(tmp_path: Path, role: str, setting: str) -> None:
    port = PortCheck("db.example.com", 5432, role, "", "refused", "Connection refused")
    finding = only(findings(tmp_path, ports=(port,)), "network.external", "h1")
    assert setting in finding.fix
    good = PortCheck("db.example.com", 5432, role, "", "open")
    assert findings(tmp_path, ports=(good,)) == []


@pytest.mark.parametrize(("names", "past", "settings"), [
    (("HTTP_PROXY",), "", {}),
    (("all_proxy", "http_proxy"), ".corp,10.0.0.1", {}),
    (("HTTP_PROXY",), "27.0.0.1", {"airflow_environment": {"X": "1"}}),
])  # fmt: skip
def test_a_proxy_that_systemd_gives_to_every_service(
    tmp_path: Path, names: tuple[str, ...], past: str, settings: dict[str, Any]
) -> None:
    cluster = make_cluster(tmp_path, **settings)
    facts = good_facts(system=replace(good_facts().system, proxies=Proxies(names, past)))
    finding = only(validate_hosts(cluster, probe_of(cluster, h1=facts)), "network.proxy", "h1")
    assert finding.severity is Severity.ERROR
    assert names[0] in finding.what
    assert f"airflow_environment: {{{names[0]}: " in finding.fix


@pytest.mark.parametrize(("names", "past", "settings"), [
    ((), "", {}),
    (("HTTP_PROXY",), "localhost,127.0.0.1", {}),
    (("HTTP_PROXY",), "*", {}),
    (("HTTP_PROXY",), "", {"airflow_environment": {"http_proxy": "http://proxy.example:3128"}}),
])  # fmt: skip
def test_a_proxy_that_is_passed_by(
    tmp_path: Path, names: tuple[str, ...], past: str, settings: dict[str, Any]
) -> None:
    cluster = make_cluster(tmp_path, **settings)
    facts = good_facts(system=replace(good_facts().system, proxies=Proxies(names, past)))
    assert validate_hosts(cluster, probe_of(cluster, h1=facts)) == []
