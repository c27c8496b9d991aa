"""Validation of the inventory's variables."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from support.vault_files import write_encrypted

from toolkit.cluster import Cluster
from toolkit.cluster.settings import load_specs, validate
from toolkit.cluster.vaultfile import vault_file
from toolkit.errors import ToolkitError

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
        ("airflow_version: 2.10", ["quotes", "trailing 0"]),
        ("airflow_requirements: [a, 'b=>2']", ["'b=>2'"]),
        ("metadata_db_url: postgres//db/airflow", ["metadata_db_url", "%40"]),
        ("broker_url: 'redis://h:99999'", ["cannot be read"]),
        ("broker_url: redis://h:6379/0", ["it has to end with the port"]),
        ("broker_url: 'rediss://h:6379?ssl_cert_reqs=none'", ["it has to end with the port"]),
        ("python_index_url: 'http://[::1/simple'", ["cannot be read"]),
        ("airflow_base_url: ftp://h/", ["http(s)"]),
        ("\nairflow_remote_log_folder: gs://logs/prod", ["airflow.yml:2", "s3://BUCKET/PREFIX"]),
        ("airflow_remote_log_folder: s3:///prod", ["no folder of an S3 bucket"]),
        ("airflow_remote_log_folder: s3://logs/a?b", ["no folder of an S3 bucket"]),
        ("airflow_remote_log_folder: s3://logs//prod", ["no folder of an S3 bucket"]),
        ("airflow_aws_region: Frankfurt", ["'Frankfurt'", "eu-central-1"]),
        ("airflow_aws_endpoint_url: minio:9000", ["https://minio.example.com:9000"]),
        ("airflow_users: [{username: kim, password: x, email: y, role: King}]", ["Admin, Op"]),
        ("airflow_web_prot: 1\nairflow_web_port: x\npostgres_port: 0", [":1", ":2", ":3"]),
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
        "airflow_requirements: ['pandas>=2,<3']",
        "metadata_db_url: postgresql+psycopg2://kim:p%40ss@db.example.com:5432/airflow",
        "metadata_db_url: postgresql+psycopg2:///airflow?host=/run/postgresql",
        "broker_url: rediss://:secret@redis.example.com",
        "airflow_remote_log_folder: s3://my-logs",
        "airflow_remote_log_folder: s3://my-logs/airflow/prod/",
        "airflow_aws_region: us-gov-west-1\nairflow_aws_endpoint_url: http://10.0.0.1:9000",
    ],
)
def test_right_values_are_accepted(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "airflow_admin_password: 471147114711",
        "airflow_users: [{username: kim, email: x, password: 471147114711}]",
        "airflow_users: '471147114711'",
        "metadata_db_url: postgresql://kim:471147114711/x@db.example.com/airflow",
        "broker_url: [471147114711]",
    ],
)
def test_a_secret_is_not_repeated(tmp_path: Path, text: str) -> None:
    found = problems(tmp_path, text)
    assert found
    assert "471147114711" not in "".join(found)


def test_an_encrypted_vault_is_validated_too_and_not_repeated(tmp_path: Path) -> None:
    problems(tmp_path, "")
    vault = {"airflow_web_port": "471147114711", "broker_ulr": "x", "airflow_admin_username": "a"}
    write_encrypted(vault_file(tmp_path), tmp_path, yaml.safe_dump(vault, sort_keys=False))
    found = validate(Cluster.load(tmp_path))
    assert [finding.id for finding in found] == ["settings.type", "settings.unknown"]
    assert all("vault.yml" in finding.what for finding in found)
    assert "broker_url" in found[1].what
    assert not any("471147114711" in finding.what + finding.fix for finding in found)


def test_a_vault_that_is_not_encrypted_is_validated_once(tmp_path: Path) -> None:
    problems(tmp_path, "")
    (tmp_path / "group_vars/all/vault.yml").write_text("broker_ulr: x\n")
    assert len(validate(Cluster.load(tmp_path))) == 1


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
def test_any_inventory_is_validated_without_a_traceback(values: dict[str, object]) -> None:
    with TemporaryDirectory() as directory:
        try:
            for problem in problems(Path(directory), yaml.safe_dump(values)):
                assert "airflow.yml" in problem
        except ToolkitError as error:
            assert error.fix
