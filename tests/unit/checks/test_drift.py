"""Files and units that somebody changed."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import SINGLE, good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.cluster.planner import owned_things
from toolkit.cluster.tables import engines
from toolkit.cluster.topology import airflow_components
from toolkit.content import content_dir
from toolkit.hosts.facts import Airflow, Unit


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


def test_a_drained_worker_is_meant(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, {"h1": [*SINGLE["h1"], "worker", "broker"]})
    names = [f"airflow-{name}.service" for name in airflow_components(cluster, cluster.hosts[0])]
    units = tuple(
        Unit(name, "active", enabled="disabled" if "worker" in name else "enabled", ours=True)
        for name in names
    )
    for drained, expected in ((True, []), (False, ["drift.units"])):
        airflow = Airflow(
            ours=True, configured=True, current="3.3.2-x", units=units, drained=drained
        )
        found = validate_hosts(cluster, probe_of(cluster, h1=good_facts(airflow=airflow)))
        assert [one for one in ids(found) if one.startswith("drift")] == expected


@pytest.mark.parametrize(
    "path",
    [
        "/etc/postgresql/15/main/conf.d/airflow-toolkit.conf",
        "/var/lib/pgsql/data/conf.d/airflow-toolkit.conf",
        "/etc/mysql/mysql.conf.d/zz-airflow-toolkit.cnf",
        "/etc/my.cnf.d/zz-airflow-toolkit.cnf",
        "/etc/redis6/airflow-toolkit.conf",
    ],
)
def test_what_the_engines_roles_write_is_known_on_every_distribution(path: str) -> None:
    found = owned_things(str(content_dir() / "roles/base"), list(engines()))
    assert any(fnmatchcase(path, entry["path"]) for entry in found["files"])
