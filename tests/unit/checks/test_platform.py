from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.findings import Finding, Severity
from toolkit.hosts.facts import (
    Airflow,
    Distribution,
    ForeignAirflow,
    Machine,
    PackageLock,
    Packages,
    Systemd,
)


def findings(directory: Path, **changes: Any) -> list[Finding]:
    cluster = make_cluster(directory)
    return validate_hosts(cluster, probe_of(cluster, h1=good_facts(**changes)))


@pytest.mark.parametrize(
    ("id", "version", "says"),
    [
        ("amzn", "2", "June 2026"),
        ("ubuntu", "20.04", "Python 3.8"),
        ("ubuntu", "23.10", "is not supported"),
        ("debian", "11", "is not supported"),
        ("arch", "", "is not supported"),
    ],
)
def test_other_distributions(tmp_path: Path, id: str, version: str, says: str) -> None:
    system = Distribution(id=id, version=version, name="Some Linux")
    finding = only(findings(tmp_path, os=system), "platform.distribution", "h1")
    assert says in finding.what
    assert "Debian 12" in finding.fix


def test_no_systemd(tmp_path: Path) -> None:
    finding = only(
        findings(tmp_path, systemd=Systemd(running=False, init="tini")), "platform.systemd", "h1"
    )
    assert "tini" in finding.what


def test_processors(tmp_path: Path) -> None:
    assert findings(tmp_path, machine=Machine(architecture="aarch64", cpus=2)) == []
    only(
        findings(tmp_path, machine=Machine(architecture="riscv64", cpus=2)),
        "platform.architecture",
        "h1",
    )


def test_a_package_lock_is_waited_for(tmp_path: Path) -> None:
    lock = PackageLock(812, "unattended-upgr", "root", "apt-daily.service", "/var/lib/dpkg/lock")
    packages = Packages(manager="apt-get", unfinished=("libc6",), lock=lock)
    finding = only(findings(tmp_path, packages=packages), "platform.package_lock", "h1")
    assert finding.severity is Severity.WARNING
    assert "unattended-upgr (pid 812, user root, unit apt-daily.service)" in finding.what


def test_half_installed_packages(tmp_path: Path) -> None:
    packages = Packages(manager="apt-get", unfinished=("postgresql-15", "ssl-cert"))
    finding = only(findings(tmp_path, packages=packages), "platform.unfinished_packages", "h1")
    assert finding.severity is Severity.WARNING
    assert "postgresql-15 and ssl-cert" in finding.what


@pytest.mark.parametrize(
    ("unit", "fix"), [("af.service", "disable --now af.service"), ("session-1.scope", "kill 77")]
)
def test_somebody_else_s_airflow(tmp_path: Path, unit: str, fix: str) -> None:
    process = ForeignAirflow(77, "airflow", "bob", unit, "scheduler")
    finding = only(
        findings(tmp_path, airflow=Airflow(foreign=(process,))), "platform.other_airflow", "h1"
    )
    assert finding.severity is Severity.WARNING
    assert fix in finding.fix


@pytest.mark.parametrize(
    ("id", "version", "there"),
    [("debian", "12", False), ("amzn", "2023", False), ("ubuntu", "24.04", True)],
)
def test_mysql_where_there_is_none(tmp_path: Path, id: str, version: str, there: bool) -> None:
    cluster = make_cluster(tmp_path, metadata_db_engine="mysql")
    system = Distribution(id=id, version=version, name="Some Linux")
    found = validate_hosts(cluster, probe_of(cluster, h1=good_facts(os=system)))
    assert [finding.id for finding in found] == ([] if there else ["platform.no_mysql"])


def test_mysql_elsewhere_is_no_matter_of_the_host(tmp_path: Path) -> None:
    groups = {"h1": ("scheduler", "webserver")}
    url = "mysql+mysqldb://airflow:pw@db.example.com/airflow"
    cluster = make_cluster(tmp_path, groups, metadata_db_engine="mysql", metadata_db_url=url)
    assert validate_hosts(cluster, probe_of(cluster)) == []


@pytest.mark.parametrize("engine", ["postgres", "mysql"])
def test_an_engine_that_changes_after_the_fact(tmp_path: Path, engine: str) -> None:
    cluster = make_cluster(tmp_path, metadata_db_engine=engine)
    facts = good_facts(
        os=Distribution(id="ubuntu", version="24.04", name="Ubuntu"),
        airflow=Airflow(ours=True),
        packages=Packages(manager="apt-get", servers={"postgresql-16": "16.2"}),
    )
    found = validate_hosts(cluster, probe_of(cluster, h1=facts))
    if engine == "postgres":
        assert found == []
    else:
        finding = only(found, "platform.engine_changed", "h1")
        assert "metadata_db_engine: postgres" in finding.fix
