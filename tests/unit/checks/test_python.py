from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import CELERY, good_facts, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.cluster.lock import shipped_lock, wanted_of
from toolkit.findings import Finding
from toolkit.hosts.facts import PathFacts, Python


def python(version: str, *missing: str, **flags: bool) -> Python:
    minor = ".".join(version.split(".")[:2])
    return Python(f"/usr/bin/python{minor}", version, missing, **flags)


def findings(
    directory: Path, *pythons: Python, settings: dict[str, Any] | None = None
) -> list[Finding]:
    cluster = make_cluster(directory, **(settings or {}))
    return validate_hosts(cluster, probe_of(cluster, h1=good_facts(pythons=pythons)))


@pytest.mark.parametrize(
    ("airflow", "version", "ok"),
    [
        ("3.3.2", "3.9.2", False),
        ("3.3.2", "3.10.1", True),
        ("3.3.2", "3.14.0", True),
        ("3.3.2", "3.15.0", False),
        ("2.11.2", "3.12.3", True),
        ("2.11.2", "3.13.0", False),
    ],
)
def test_interpreters_of_each_line(tmp_path: Path, airflow: str, version: str, ok: bool) -> None:
    found = findings(tmp_path, python(version, default=True), settings={"airflow_version": airflow})
    if ok:
        assert found == []
    else:
        finding = only(found, "python.unsupported", "h1")
        assert f"is {version}" in finding.what
        assert version in finding.fix


def test_the_newest_that_would_do_counts(tmp_path: Path) -> None:
    too_new, incomplete = python("3.15.0", default=True), python("3.14.1", "ssl")
    assert findings(tmp_path, too_new, incomplete, python("3.12.3")) == []


def test_a_named_one_that_is_unsupported(tmp_path: Path) -> None:
    named = {"python_interpreter": "/usr/bin/python3.15"}
    found = findings(tmp_path, python("3.15.0", wanted=True), python("3.12.3"), settings=named)
    fix = only(found, "python.unsupported", "h1").fix
    assert fix.startswith("set python_interpreter: /usr/bin/python3.12")


def test_the_named_interpreter_is_the_one_that_counts(tmp_path: Path) -> None:
    named = {"python_interpreter": "/usr/bin/python3.12"}
    good, other = python("3.12.3", wanted=True), python("3.9.2", default=True)
    assert findings(tmp_path, good, other, settings=named) == []
    finding = only(findings(tmp_path, other, settings=named), "python.missing", "h1")
    assert "/usr/bin/python3.12" in finding.what


def test_an_incomplete_python(tmp_path: Path) -> None:
    assert findings(tmp_path, python("3.11.2", "venv", "ensurepip", default=True)) == []
    finding = only(
        findings(tmp_path, python("3.11.2", "ctypes", "sqlite3", "venv", default=True)),
        "python.incomplete",
        "h1",
    )
    assert "without ctypes and sqlite3" in finding.what


def test_a_lock_that_lacks_the_host_s_python(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    shipped = shipped_lock(*wanted_of(cluster))
    assert shipped
    header, _, rest = shipped.read_text().partition("\n#   pythons:")
    _, _, rest = rest.partition("\n")
    (tmp_path / "airflow.lock").write_text(f"{header}\n#   pythons: ['3.10', '3.12']\n{rest}")
    finding = only(validate_hosts(cluster, probe_of(cluster)), "python.lock", "h1")
    assert "Python 3.11" in finding.what
    assert finding.fix == f"toolkit lock -i {tmp_path}"


def test_a_database_host_needs_no_python_for_airflow(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY)
    old = good_facts(1, pythons=(python("3.9.2", default=True),))
    assert validate_hosts(cluster, probe_of(cluster, d1=old)) == []


def lock_that_builds(directory: Path, *names: str) -> None:
    """The shipped lock, as if these packages had no wheel."""
    text = shipped_lock("3.3.2", ["amazon", "celery", "fab", "postgres", "redis"], []).read_text()
    (directory / "airflow.lock").write_text(
        text.replace("built_on_hosts: []", f"built_on_hosts: [{', '.join(names)}]")
    )


def test_packages_that_are_compiled(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    lock_that_builds(tmp_path, "sasl", "python-ldap")
    assert validate_hosts(cluster, probe_of(cluster)) == []  # the role knows what they need
    lock_that_builds(tmp_path, "sasl", "some-driver")
    finding = only(validate_hosts(cluster, probe_of(cluster)), "python.build_packages", "h1")
    assert "some-driver" in finding.what
    assert "sasl" not in finding.what
    named = make_cluster(tmp_path, base_packages=["gcc", "libfoo-dev"])
    assert validate_hosts(named, probe_of(named)) == []


def test_compiling_needs_programs_in_tmp(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    lock_that_builds(tmp_path, "sasl")
    paths = (PathFacts("/tmp", noexec=True, device=1, mount="/tmp", free_mb=900, free_inodes=9**9),)
    facts = good_facts(paths=paths)
    only(validate_hosts(cluster, probe_of(cluster, h1=facts)), "python.tmp_noexec", "h1")
