"""Files and units that somebody changed: the script on real files, and what is made of it."""

from __future__ import annotations

import runpy
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.cluster.topology import airflow_components
from toolkit.hosts.facts import Airflow, Unit
from toolkit.hosts.payload import owned_files

SCRIPT = Path(__file__).parents[3] / "toolkit" / "onhost" / "host_drift.py"


@pytest.fixture
def script(tmp_path: Path) -> dict[str, Any]:
    """The script, looking after the files of a directory."""
    loaded = runpy.run_path(str(SCRIPT))
    namespace: dict[str, Any] = loaded["record"].__globals__
    namespace["MANIFEST"] = str(tmp_path / "lib" / "manifest.json")
    record, wanted = namespace["record"], {"files": [str(tmp_path / "etc" / "*")]}
    namespace["record"] = lambda _: record(wanted)
    for name in ("lib", "etc"):
        (tmp_path / name).mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "etc" / name).write_text(f"secret of {name}\n")
    (tmp_path / "etc" / "current").symlink_to("a")
    return namespace


def test_what_was_changed_is_named_and_nothing_else(script: dict[str, Any], tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    assert script["drift"]({}) == {}
    assert script["record"]({}) == {"files": 4}
    assert script["drift"]({}) == {}
    (etc / "a").write_text("changed\n")
    (etc / "b").chmod(0o777)
    (etc / "c").unlink()
    (etc / "current").unlink()
    (etc / "current").symlink_to("b")
    assert script["drift"]({}) == {
        str(etc / "a"): "changed",
        str(etc / "b"): "mode",
        str(etc / "c"): "missing",
        str(etc / "current"): "changed",
    }
    script["record"]({})
    assert script["drift"]({}) == {}


def test_the_manifest_is_private_and_stays_as_it_is(script: dict[str, Any], tmp_path: Path) -> None:
    script["record"]({})
    path = tmp_path / "lib" / "manifest.json"
    text = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in text
    script["record"]({})
    assert path.read_text() == text


def test_a_host_without_the_toolkit_gets_no_manifest(
    script: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "lib").rmdir()
    assert script["record"]({}) == {"files": 0}
    assert script["drift"]({}) == {}


@pytest.mark.parametrize("how", ["changed", "missing", "mode"])
def test_a_file(tmp_path: Path, how: str) -> None:
    cluster = make_cluster(tmp_path)
    facts = good_facts(drift={"/etc/airflow/airflow.cfg": how})
    finding = only(validate_hosts(cluster, probe_of(cluster, h1=facts)), f"drift.{how}", "h1")
    assert "/etc/airflow/airflow.cfg" in finding.what


@pytest.mark.parametrize(
    ("change", "needle"),
    [
        (None, "is not there"),
        ({"enabled": "disabled"}, "is disabled"),
        ({"enabled": "masked"}, "is masked"),
        ({"enabled": "enabled", "overrides": ("/etc/x.conf",)}, "overridden by /etc/x.conf"),
    ],
)
def test_a_unit(tmp_path: Path, change: dict[str, Any] | None, needle: str) -> None:
    cluster = make_cluster(tmp_path)
    names = [f"airflow-{name}.service" for name in airflow_components(cluster, cluster.hosts[0])]
    good = [Unit(name, "active", enabled="enabled", ours=True) for name in names]
    changed = [Unit(names[0], "active", ours=True, **change)] if change else []
    for units, expected in ((good, []), ([*changed, *good[1:]], ["drift.units"])):
        airflow = Airflow(ours=True, configured=True, current="3.3.2-x", units=tuple(units))
        found = validate_hosts(cluster, probe_of(cluster, h1=good_facts(airflow=airflow)))
        assert ids(found) == expected
    assert needle in found[0].what


@pytest.mark.parametrize(
    "path",
    [
        "/etc/postgresql/15/main/conf.d/airflow-toolkit.conf",
        "/var/lib/pgsql/data/conf.d/airflow-toolkit.conf",
        "/etc/mysql/mysql.conf.d/zz-airflow-toolkit.cnf",
        "/etc/my.cnf.d/zz-airflow-toolkit.cnf",
        "/etc/redis6/airflow-toolkit.conf",
        "/etc/systemd/system/airflow-scheduler.service",
    ],
)
def test_what_the_roles_write_is_watched_on_every_distribution(path: str) -> None:
    assert any(fnmatchcase(path, pattern) for pattern in owned_files())
