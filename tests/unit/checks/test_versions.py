"""Rules about a change of Airflow's version."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.preflight_data import good_facts, ids, make_cluster, probe_of

from toolkit.checks import versions
from toolkit.cluster.releases import known
from toolkit.findings import Finding
from toolkit.hosts.database import Examined, Upgrade
from toolkit.hosts.facts import Airflow, Probe

NOTHING = Examined()
SCHEMAS = {line: release.schemas for line in "23" if (release := known(f"{line}.0"))}
DUMP = "h1:/var/backups/airflow-toolkit/airflow-2.11.2-20261126T170258Z.dump"
UPGRADED = Upgrade("2.11.2", "3.3.2", DUMP)


def findings(
    directory: Path, wanted: str, runs: str, database: Examined = NOTHING
) -> list[Finding]:
    cluster = make_cluster(directory, airflow_version=wanted)
    current = f"{runs}-0123456789ab" if runs else ""
    probe = probe_of(cluster, h1=good_facts(airflow=Airflow(ours=bool(runs), current=current)))
    return list(versions.change(cluster, Probe(probe.facts, database=database)))


@pytest.mark.parametrize(
    ("wanted", "runs"), [("3.3.2", ""), ("3.3.2", "3.3.2"), ("2.11.2", "2.11.2")]
)
def test_the_same_version_or_none(tmp_path: Path, wanted: str, runs: str) -> None:
    assert findings(tmp_path, wanted, runs) == []


@pytest.mark.parametrize("current", ["releases", "3.3.1", "2.11.2-mine", "-0123456789ab"])
def test_a_link_that_leads_to_no_release_of_ours_is_no_version(
    tmp_path: Path, current: str
) -> None:
    airflow = Airflow(ours=True, current=current)
    probe = probe_of(make_cluster(tmp_path), h1=good_facts(airflow=airflow))
    assert airflow.version == ""
    assert list(versions.change(make_cluster(tmp_path), probe)) == []


@pytest.mark.parametrize(("wanted", "runs", "schema"), [
    ("3.3.2", "2.11.2", SCHEMAS["2"][:1]),
    ("3.3.2", "2.11.2", ()),  # the database does not answer
    ("3.3.2", "3.1.0", SCHEMAS["3"][9:10]),
    ("3.4.0", "3.3.2", SCHEMAS["3"][:1]),
    ("2.11.2", "2.10.5", SCHEMAS["2"][3:4]),
    ("4.0.0", "3.3.2", SCHEMAS["3"][:1]),
    ("3.3.1", "3.3.2", SCHEMAS["3"][:1]),  # whether it knows the schema the role finds out
])  # fmt: skip
def test_another_version(tmp_path: Path, wanted: str, runs: str, schema: tuple[str, ...]) -> None:
    (found,) = findings(tmp_path, wanted, runs, Examined("current", schema))
    assert (found.id, found.host) == ("versions.upgrade", "h1")
    assert found.what == f"Airflow {runs} runs, and airflow_version is {wanted}"
    assert "--allow-upgrade" in found.fix


def test_a_release_with_the_same_schema_is_another_version(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "3.3.2", "3.3.1", Examined("current", SCHEMAS["3"][:1]))
    assert found.what.endswith("airflow_version is 3.3.2, with the same schema")


@pytest.mark.parametrize(("wanted", "runs", "schema"), [
    ("2.11.2", "3.3.2", SCHEMAS["3"][:1]),
    ("2.10.5", "3.3.2", SCHEMAS["3"][:1]),
    ("2.11.2", "3.0.0", SCHEMAS["3"][20:21]),
    ("3.3.2", "3.4.0", ("ffffffffffff",)),
    ("2.11.2", "2.12.0", ("ffffffffffff",)),
])  # fmt: skip
def test_going_back(tmp_path: Path, wanted: str, runs: str, schema: tuple[str, ...]) -> None:
    (found,) = findings(tmp_path, wanted, runs, Examined("current", schema, (), UPGRADED))
    assert (found.id, found.host) == ("versions.unknown_schema", "")
    assert f"set airflow_version: {runs}" in found.fix
    assert (DUMP in found.fix) == (wanted == "2.11.2")
    assert "--allow-upgrade" not in found.fix


def test_going_back_once_the_dump_is_restored(tmp_path: Path) -> None:
    """For the release that is current the schema is an old one."""
    restored = Examined("older", SCHEMAS["2"][:1], (), UPGRADED)
    assert ids(findings(tmp_path, "2.11.2", "3.3.2", restored)) == ["versions.upgrade"]


def test_an_upgrade_that_was_cut_off(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, "3.3.2", "3.3.2", Examined("older", SCHEMAS["2"][:1]))
    assert found.id == "versions.older_schema"
    assert "continues an upgrade" in found.fix


def test_a_newer_database_that_was_restored(tmp_path: Path) -> None:
    found = findings(tmp_path, "2.11.2", "2.11.2", Examined("unknown", SCHEMAS["3"][:1]))
    assert ids(found) == ["versions.unknown_schema"]
    assert findings(tmp_path, "3.3.2", "2.11.2", Examined("unknown", SCHEMAS["3"][:1]))[0].id == (
        "versions.upgrade"
    )
