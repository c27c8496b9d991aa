"""Another Airflow on a host: what the probe finds in real files, and what is made of it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import good_facts, ids, make_cluster, only, probe_of

from toolkit.checks import validate_hosts
from toolkit.cluster.passwords import DEFAULT_PASSWORDS
from toolkit.findings import Finding
from toolkit.hosts.facts import Facts, Installation
from toolkit.onhost.existing import installation

GOOD = Installation("/srv/airflow", executor="LocalExecutor", database="postgresql",
                    options=("core.executor",), units=("airflow.service",))  # fmt: skip


def found_in(directory: Path, installation: Installation) -> list[Finding]:
    cluster = make_cluster(directory)
    return validate_hosts(cluster, probe_of(cluster, h1=good_facts(existing=(installation,))))


def read(home: Path, text: str) -> Installation:
    """What the script says of a configuration, as it arrives here."""
    (home / "airflow.cfg").write_text(text)
    answer = installation(str(home), str(home / "airflow.cfg"), text, list(DEFAULT_PASSWORDS))
    facts = Facts.from_json({"existing": [answer]})
    return facts.existing[0]


def test_a_good_one_is_only_mentioned(tmp_path: Path) -> None:
    only(found_in(tmp_path, GOOD), "existing.airflow_home", "h1")


@pytest.mark.parametrize(
    ("text", "id", "needle"),
    [
        ("[database]\nsql_alchemy_conn = sqlite:////root/a.db\n", "existing.sqlite", "SQLite"),
        ("[core]\nexecutor = SequentialExecutor\n", "existing.sequential", "Sequential"),
        (
            "[database]\nsql_alchemy_conn = postgresql://airflow:airflow@localhost/airflow\n",
            "existing.default_password",
            "password",
        ),
        ("[celery]\nbroker_url = redis://:Redis@h:6379/0\n", "existing.default_password", "broker"),
        ("[core]\ndays_folder = /root/dags\n", "existing.unknown_options", "(for dags_folder?)"),
    ],
)
def test_what_tutorials_leave(tmp_path: Path, text: str, id: str, needle: str) -> None:
    installation = read(tmp_path, text)
    found = {finding.id: finding for finding in found_in(tmp_path, installation)}
    assert needle in found[id].what
    assert set(found) == {id, "existing.airflow_home", "existing.no_units"}


def test_no_value_leaves_the_host(tmp_path: Path) -> None:
    secret = "p/a%s:s"
    text = f"[core]\nfernet_key = {secret}\n[database]\nsql_alchemy_conn = mysql://a:{secret}@h/x\n"
    assert secret not in str(read(tmp_path, text))


def test_secrets_that_everybody_can_read(tmp_path: Path) -> None:
    directories = [path for path in tmp_path.parents if path != Path("/")]
    before = {path: path.stat().st_mode for path in [tmp_path, *directories]}
    if any(path.stat().st_uid != os.getuid() and not mode & 1 for path, mode in before.items()):
        pytest.skip("existing directories are above")
    try:
        for path, mode in before.items():
            if path.stat().st_uid == os.getuid():
                path.chmod(mode | 0o011)
        installation = read(tmp_path, "[core]\nfernet_key = abc\n")
        assert installation.readable
        assert "existing.readable_secrets" in ids(found_in(tmp_path, installation))
        tmp_path.chmod(0o700)
        assert not read(tmp_path, "[core]\nfernet_key = abc\n").readable
    finally:
        for path, mode in before.items():
            if path.stat().st_uid == os.getuid():
                path.chmod(mode)


def test_pid_files(tmp_path: Path) -> None:
    (tmp_path / "airflow-webserver.pid").write_text(f"{2**30}\n")
    (tmp_path / "airflow-scheduler.pid").write_text(f"{os.getpid()}\n")
    installation = read(tmp_path, "[core]\n")
    assert [Path(path).name for path in installation.stale_pid_files] == ["airflow-webserver.pid"]
    assert "existing.pid_file" in ids(found_in(tmp_path, installation))


@pytest.mark.parametrize("text", ["no section\n", "[core\n", "[core]\n = x\n"])
def test_a_configuration_that_cannot_be_read(tmp_path: Path, text: str) -> None:
    found = only(found_in(tmp_path, read(tmp_path, text)), "existing.airflow_home", "h1")
    assert "cannot be read" in found.what


def test_options_of_either_release_are_known(tmp_path: Path) -> None:
    options: dict[str, Any] = {"2": "webserver.web_server_port", "3": "api.port"}
    for option in options.values():
        installation = Installation("/srv/x", options=(option,), units=("x.service",))
        only(found_in(tmp_path, installation), "existing.airflow_home", "h1")
