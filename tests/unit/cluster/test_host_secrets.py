"""Which secrets a host is to have, and how the digests of those that it has compare."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.preflight_data import CELERY, make_cluster

from toolkit.cluster.host_secrets import database_url, differing, wanted_secrets
from toolkit.onhost import digests

NONCE = "0123456789abcdef"
VAULT = {
    "metadata_db_password": "p/a@s:s%w",
    "broker_password": "brokerpassword",
    "airflow_fernet_key": "fernet",
    "airflow_secret_key": "key",
    "airflow_jwt_secret": "jwt",
}
FILE = """AIRFLOW__DATABASE__SQL_ALCHEMY_CONN="postgresql+psycopg2://airflow:p%2Fa%40s%3As%25w@10.0.0.1:5432/airflow"
AIRFLOW__CORE__FERNET_KEY="fernet"
AIRFLOW__API__SECRET_KEY="key"
AIRFLOW__API_AUTH__JWT_SECRET="jwt"
AIRFLOW__CELERY__BROKER_URL="redis://:brokerpassword@10.0.0.1:6379/0"
AIRFLOW__CELERY__RESULT_BACKEND="redis://:brokerpassword@10.0.0.1:6379/1"
HTTP_PROXY="http://user:other@proxy:3128"
"""


def answered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str = FILE) -> dict[str, str]:
    """What a host with that airflow.env says of it."""
    (tmp_path / "airflow.env").write_text(text)
    read = digests.environment
    monkeypatch.setattr(digests, "environment", lambda: read(tmp_path / "airflow.env"))
    names = [line.partition("=")[0] for line in text.splitlines() if line.startswith("AIRFLOW__")]
    return dict(digests.secrets(NONCE, names))


def test_a_host_with_the_secrets_of_the_vault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make_cluster(tmp_path, CELERY, vault=VAULT)
    said = answered(monkeypatch, tmp_path)
    assert len(said) == 6
    assert differing(wanted_secrets(cluster, cluster.host("a1")), NONCE, said) == {}
    assert not any(value in str(said) for value in VAULT.values())
    assert differing(wanted_secrets(cluster, cluster.host("a1")), "other", said)


@pytest.mark.parametrize(("old", "new", "setting"), [
    ('KEY="fernet"', 'KEY="another"', "airflow_fernet_key"),
    ('SECRET_KEY="key"', 'SECRET_KEY="keys"', "airflow_secret_key"),
    ('"jwt"', '""', "airflow_jwt_secret"),
    ("p%2Fa%40s%3As%25w", "p%2Fa", "metadata_db_password"),
    ("brokerpassword@10.0.0.1:6379/1", "old@10.0.0.1:6379/1", "broker_password"),
])  # fmt: skip
def test_a_secret_that_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, setting: str
) -> None:
    cluster = make_cluster(tmp_path, CELERY, vault=VAULT)
    said = answered(monkeypatch, tmp_path, FILE.replace(old, new))
    assert differing(wanted_secrets(cluster, cluster.host("a1")), NONCE, said) == {setting: True}


def test_secrets_that_the_inventory_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_cluster(tmp_path, CELERY, vault={"airflow_fernet_key": "fernet"})
    found = differing(
        wanted_secrets(cluster, cluster.host("a1")), NONCE, answered(monkeypatch, tmp_path)
    )
    assert set(found) == set(VAULT) - {"airflow_fernet_key"}
    assert set(found.values()) == {False}


def test_an_address_is_no_secret_and_a_server_elsewhere_has_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = "postgresql://me:p%2Fa%40s%3As%25w@db.example.com/x"
    cluster = make_cluster(tmp_path, CELERY, vault=VAULT, metadata_db_url=url)
    wanted = wanted_secrets(cluster, cluster.host("a1"))
    assert wanted["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == ("metadata_db_url", "p/a@s:s%w")
    assert differing(wanted, NONCE, answered(monkeypatch, tmp_path)) == {}
    assert database_url(cluster, cluster.host("a1")) == url


def test_what_ansible_has_yet_to_evaluate_is_left_out(tmp_path: Path) -> None:
    cluster = make_cluster(
        tmp_path, CELERY, vault=VAULT, airflow_fernet_key="{{ x }}", metadata_db_url="{{ y }}"
    )
    wanted = wanted_secrets(cluster, cluster.host("a1"))
    assert "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN" not in wanted
    assert database_url(cluster, cluster.host("a1")) == ""


def test_the_url_as_each_host_reaches_the_server(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path, CELERY, vault=VAULT)
    assert database_url(cluster, cluster.host("a1")) == (
        "postgresql+psycopg2://airflow:p%2Fa%40s%3As%25w@10.0.0.1:5432/airflow"
    )
    assert "@127.0.0.1:5432/" in database_url(cluster, cluster.host("d1"))
    bare = make_cluster(tmp_path, CELERY, vault={"airflow_fernet_key": "fernet"})
    assert database_url(bare, bare.host("a1")) == ""
