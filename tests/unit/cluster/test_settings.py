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
        # As people paste URLs.
        ("metadata_db_url: 'postgresql://kim:p@ss@h/db'", ["@ is written %40"]),
        ("metadata_db_url: 'postgresql://kim:p/a#s@h/db'", ["/ is written %2F, # is written %23"]),
        ("metadata_db_url: 'postgresql://kim:pa?ss@h/db'", ["? is written %3F"]),
        ("metadata_db_url: 'postgresql://kim:10%@h/db'", ["% is written %25"]),
        ("metadata_db_url: postgres://kim:x@h/db", ["postgresql+psycopg2://"]),
        ("metadata_db_url: postgresql+asyncpg://kim:x@h/db", ["postgresql+psycopg2://"]),
        ("metadata_db_url: postgresql+pg8000://kim:x@h/db", ["postgresql+psycopg2://"]),
        ("metadata_db_url: mariadb+mysqldb://kim:x@h/db", ["mysql+mysqldb://"]),
        ("metadata_db_url: mysql+aiomysql://kim:x@h/db", ["mysql+mysqldb://"]),
        ("metadata_db_url: jdbc:postgresql://h/db", ["Java"]),
        ("metadata_db_url: PostgreSQL://kim:x@h/db", ["write postgresql://"]),
        ('metadata_db_url: "postgresql://kim:x@h/db\\n"', ["white space"]),
        ("metadata_db_url: \"'postgresql://kim:x@h/db'\"", ["quotes"]),
        ("metadata_db_url: postgresql://kim:x@h", ["no name of a database"]),
        ("metadata_db_url: postgresql://kim:x@h:port/db", ["cannot be read"]),
        ("metadata_db_url: postgresql:///db", ["no host"]),
        ("broker_url: 'redis://:p@ss@h:6379'", ["@ is written %40"]),
        ("broker_url: ' redis://h:6379'", ["white space"]),
        ("broker_url: REDIS://h:6379", ["write redis://"]),
        ("broker_url: 'redis://:x@'", ["no host"]),
        # The web server.
        ("airflow_base_url: 'https://kim:x@h/'", ["user"]),
        ("airflow_base_url: 'https://h/?next=1'", ["has to end"]),
        ("airflow_base_url: 'https:///airflow'", ["no host"]),
        ("airflow_base_url: 'https://h/air flow'", ["no path"]),
        ("airflow_web_host: 'http://h'", ["address to listen on"]),
        ("airflow_worker_log_port: 80", ["below 1024"]),
        ("airflow_config: {api: {port: 9}}", ["airflow_web_port"]),
        ("airflow_config: {webserver: {base_url: 'http://h'}}", ["airflow_base_url"]),
        ("airflow_config: {database: {sql_alchemy_conn_cmd: cat x}}", ["metadata_db_url"]),
        ("airflow_config: {api_auth: {jwt_secret: x}}", ["airflow_jwt_secret"]),
        ("airflow_config: {celery: {result_backend: x}}", ["AIRFLOW__CELERY__RESULT_BACKEND"]),
        ("airflow_config: {core: {parallelism: }}", ["no text"]),
        ("airflow_environment: {AIRFLOW__API__PORT: 9}", ["airflow_web_port"]),
        ("airflow_environment: {AIRFLOW__API__SSL_CERT: /x}", ["airflow_config"]),
        # Names and values of all kinds.
        ("airflow_environment: {A B: 1}", ["'A B'"]),
        ("airflow_environment: {A: [1]}", ["no text"]),
        ('airflow_environment: {A: "a\\rb"}', ["control character"]),
        ("airflow_environment: {AIRFLOW_HOME: /x}", ["units' own"]),
        ("python_environment: {1A: x}", ["'1A'"]),
        ("airflow_admin_username: ''", ["airflow_admin_username"]),
        ("airflow_admin_username: toolkit-canary", ["own user"]),
        ("airflow_admin_email: admin", ["e-mail"]),
        (
            "airflow_users: [{username: a b, password: x, email: a@b}]",
            ["airflow_users[0].username"],
        ),
        ("airflow_users: [{username: a, password: '', email: a@b}]", ["airflow_users[0].password"]),
        ("airflow_dags_folder: dags", ["absolute"]),
        ("airflow_dags_folder: /", ["everything"]),
        ("airflow_writable_paths: [data]", ["absolute"]),
        ("airflow_hardening: of", ["strict, tasks, off"]),
        ("airflow_worker_queues: []", ["empty"]),
        ("airflow_worker_queues: ['a,b']", ["queue"]),
        ("airflow_extras: ['celery,redis']", ["extra"]),
        ("airflow_log_retention_days: 0", ["keep logs"]),
        ("airflow_log_retention_days: -3", ["keep logs"]),
        ("metadata_db_name: air/flow", ["database"]),
        ("metadata_db_user: 'a@b'", ["user"]),
        ("python_interpreter: python3", ["absolute"]),
        ("python_versions: ['3']", ["minor version"]),
        ("base_packages: ['--purge vim']", ["package"]),
        ("postgres_client_addresses: [10.0.0.0/33]", ["network"]),
        ("postgres_config: {port: 1}", ["postgres_port"]),
        ("mysql_config: {max-connections: 1}", ["mysql_max_connections"]),
        ("redis_config: {requirepass: x}", ["broker_password"]),
        ("redis_config: {'a b': x}", ["option"]),
        # A lock pins what an index has.
        ("airflow_requirements: ['x @ git+https://h/x']", ["index", "python_index_url"]),
        ("airflow_requirements: ['git+ssh://git@h/x.git']", ["index"]),
        ("airflow_requirements: ['https://h/x-1-py3-none-any.whl']", ["index"]),
        ("airflow_requirements: [./mine]", ["index"]),
        ("airflow_requirements: ['-e .']", ["option"]),
        ("airflow_requirements: ['--index-url https://h']", ["option"]),
        ("airflow_requirements: ['x @ file:///x']", ["index"]),
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
        "airflow_base_url: https://example.com/air/flow/",
        "airflow_web_host: '::'\nairflow_web_port: 443",
        "airflow_config: {api: {ssl_cert: /c, ssl_key: /k}, core: {execution_api_server_url: 'http://h/execution/'}}",
        'airflow_environment: {A_1: x, B: 2, C: true, D: "two\\nlines"}',
        "airflow_environment: {AIRFLOW__CELERY__RESULT_BACKEND: 'db+postgresql://h/x'}",
        "airflow_requirements: ['pandas[performance]>=2 ; python_version > \"3.10\"']",
        "metadata_db_url: 'postgresql://kim:p:x%40@[fd00::1]:5432/airflow?options=-csearch_path%3Dx'",
        "metadata_db_url: mysql+mysqldb://kim:x@h/airflow?charset=utf8mb4",
        "broker_url: 'redis://kim:x@[fd00::1]:6379'",
        "postgres_client_addresses: [10.0.0.0/8, 'fd00::1']",
        "base_packages: [libpq-dev, gcc-c++, 'vim=2:9.0*']",
        "postgres_config: {log_min_duration_statement: 500, pg_stat_statements.max: 1}",
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
