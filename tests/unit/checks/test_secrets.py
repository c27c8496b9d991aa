from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.preflight_data import make_cluster, only

from toolkit.checks import secrets, validate_plan
from toolkit.cluster import vault as generated
from toolkit.cluster.passwords import DEFAULT_PASSWORDS

USER = {"username": "kim", "email": "kim@example.com", "role": "User"}


@pytest.mark.parametrize(
    "vault",
    [
        {"airflow_admin_password": "Airflow"},
        {"metadata_db_password": "postgres"},
        {"airflow_admin_password": "team06"},
        {"metadata_db_url": "postgresql+psycopg2://kim:kim@db.example.com/airflow"},
        {"broker_url": "redis://:redis@broker.example.com:6379"},
        {"airflow_users": [USER | {"password": "kim"}]},
    ],
)
def test_a_password_that_everybody_tries(tmp_path: Path, vault: dict[str, Any]) -> None:
    cluster = make_cluster(tmp_path, vault=vault, airflow_admin_username="team06")
    found = only(secrets.passwords(cluster), "secrets.default_password")
    value = str(next(iter(vault.values())))
    assert value not in found.what + found.fix


def test_one_of_the_inventorys_own_files(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, airflow_admin_password="admin")
    found = only(secrets.passwords(cluster), "secrets.default_password")
    assert "generated" in found.fix
    assert "airflow.yml:1" in only(secrets.plain(cluster), "secrets.plain").what


@pytest.mark.parametrize("name", ["ansible_ssh_pass", "ansible_su_pass", "ansible_private_key"])
def test_passwords_of_logins_belong_in_the_vault(tmp_path: Path, name: str) -> None:
    cluster = make_cluster(tmp_path, **{name: "of-the-login"})
    assert name in only(secrets.plain(cluster), "secrets.plain").what


def test_a_short_password(tmp_path: Path) -> None:
    found = only(
        secrets.passwords(make_cluster(tmp_path, vault={"broker_password": "k9#xQ"})),
        "secrets.weak_password",
    )
    assert "5 characters" in found.what


@pytest.mark.parametrize("key", ["short", "x" * 44, base64.b64encode(b"1" * 31).decode(), "a,b"])
def test_a_fernet_key_that_is_none(tmp_path: Path, key: str) -> None:
    found = only(
        secrets.fernet_key(make_cluster(tmp_path, vault={"airflow_fernet_key": key})),
        "secrets.fernet_key",
    )
    assert key not in found.what


def test_generated_secrets_are_good(tmp_path: Path) -> None:
    for _ in range(5):
        vault = {name: generate() for name, generate in generated.GENERATED.items()}
        assert validate_plan(make_cluster(tmp_path, vault=vault)) == []
    rotated = {"airflow_fernet_key": f"{generated._fernet_key()},{generated._fernet_key()}"}
    assert validate_plan(make_cluster(tmp_path, vault=rotated)) == []


@pytest.mark.parametrize(
    "value", ["{{ lookup('env', 'PASSWORD') }}", "postgresql+psycopg2://kim@db.example.com/airflow"]
)
def test_what_is_no_secret_may_stand_anywhere(tmp_path: Path, value: str) -> None:
    assert list(secrets.plain(make_cluster(tmp_path, metadata_db_url=value))) == []


def test_files_that_others_can_read(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    password, vault = tmp_path / ".vault-password", tmp_path / "group_vars/all/vault.yml"
    password.write_text("x")
    vault.write_text("broker_password: ''\n")
    for path, other in ((password, vault), (vault, password)):
        path.chmod(0o644)
        other.chmod(0o600)
        found = only(secrets.file_modes(cluster), "secrets.file_mode")
        assert found.fix == f"chmod 600 {path}"
    vault.write_text("$ANSIBLE_VAULT;1.1;AES256\n00\n")
    assert list(secrets.file_modes(cluster)) == []
    password.chmod(0o755)  # a program that prints it
    assert list(secrets.file_modes(cluster)) == []
    vault.write_text("broker_password: ''\n")
    vault.chmod(0o755)  # no program
    assert only(secrets.file_modes(cluster), "secrets.file_mode").fix == f"chmod 600 {vault}"
    vault.chmod(0o600)
    password.chmod(0o775)
    assert only(secrets.file_modes(cluster), "secrets.file_mode").fix == f"chmod go-w {password}"


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.text(min_size=1, max_size=40))
def test_no_password_is_repeated_and_none_breaks_a_rule(tmp_path: Path, password: str) -> None:
    chosen = {"airflow_admin_password": password, "airflow_fernet_key": password}
    cluster = make_cluster(tmp_path, **chosen)
    found = [*secrets.passwords(cluster), *secrets.fernet_key(cluster)]
    if len(password) > 12 and password.lower() not in DEFAULT_PASSWORDS:
        assert not [f for f in found if password in f.what + f.fix]
