"""Validation of the inventory's variables."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.settings import load_specs, validate

HOSTS = "scheduler: {hosts: {h1: }}\n"


def problems(directory: Path, text: str) -> list[str]:
    path = directory / "group_vars/all/airflow.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    (directory / "hosts.yml").write_text(HOSTS)
    path.write_text(text)
    return [f"{finding.what} | {finding.fix}" for finding in validate(Cluster.load(directory))]


@pytest.mark.parametrize(
    ("text", "needles"),
    [
        ("airflow_web_prot: 1", ["airflow.yml:1", "airflow_web_port"]),
        ("\nairflow_web_port: '8080'", ["airflow.yml:2", "remove the quotes"]),
        ("airflow_version: 3.3", ["quotes"]),
        ("airflow_version: 2.9.0", ["2.9.0", "not supported"]),
        ("airflow_extras: celery", ["list", "[celery]"]),
        ("metadata_db_engine: oracle", ["postgres"]),
        ("airflow_users: [{username: kim}]", ["lacks password"]),
        ("airflow_users: [{usrname: kim, password: x, email: y}]", ["no key usrname"]),
        ("airflow_web_port: 70000", ["TCP port"]),
        ("airflow_timezone: Asia/Soul", ["Asia/Seoul"]),
        ("airflow_config: {parallelism: 3}", ["outside a section"]),
        ("airflow_worker_stop_timeout: -1", ["negative"]),
        ("airflow_load_examples: 'yes'", ["true or false"]),
    ],
)
def test_wrong_values_are_told(tmp_path: Path, text: str, needles: list[str]) -> None:
    found = problems(tmp_path, text)
    assert len(found) >= 1
    for needle in needles:
        assert any(needle in problem for problem in found), found


@pytest.mark.parametrize(
    "text",
    [
        "airflow_web_port: 8081",
        "airflow_web_port: '{{ my_port }}'",
        "airflow_timezone: Asia/Seoul",
        "ansible_user: kim\n_mine: 1",
        "team: x\nbase_custom_variables: [team]",
        "airflow_config: {core: {parallelism: 4}}",
        "metadata_db_password: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  00",
    ],
)
def test_right_values_are_accepted(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


def test_a_secret_is_not_repeated(tmp_path: Path) -> None:
    found = problems(tmp_path, "airflow_admin_password: 123456789")
    assert found
    assert not any("repr(123456789)" in p or "not 123456789" in p for p in found)


SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
)


@settings(deadline=None, max_examples=100)
@given(
    st.dictionaries(
        st.sampled_from(sorted(load_specs())) | st.text(max_size=12), VALUES, max_size=6
    )
)
def test_any_inventory_is_judged_without_a_traceback(values: dict[str, object]) -> None:
    with TemporaryDirectory() as directory:
        try:
            for problem in problems(Path(directory), yaml.safe_dump(values)):
                assert "airflow.yml" in problem
        except ToolkitError as error:
            assert error.fix
