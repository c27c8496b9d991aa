"""A database and a broker that somebody else runs: their URLs are given, the roles touch neither."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import yaml
from support.lab_cluster import Cluster, assert_no_secret

from toolkit.cluster import Cluster as Inventory
from toolkit.cluster import vault
from toolkit.cluster.vault import GENERATED

pytestmark = pytest.mark.scenario
SERVERS, AIRFLOW = "e2eext1", "e2eext2"
PASSWORD = "p@ss/w:rd%#1"
ESCAPED = "p%40ss%2Fw%3Ard%25%231"
CERTIFICATE = """set -e
cd /etc/postgresql/15/main
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 9 -subj /CN=authority \
    -keyout ca.key -out ca.pem 2>/dev/null
printf 'subjectAltName = IP:%s' "$(hostname -I | cut -d' ' -f1)" > names
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=database \
    -keyout server.key -out server.csr 2>/dev/null
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -days 9 -extfile names -out server.pem 2>/dev/null
install -o redis -m 640 server.key /etc/redis/server.key
install -m 644 server.pem /etc/redis/server.pem
chown postgres server.key
printf 'port 0\ntls-port 6379\ntls-auth-clients no\n' >> /etc/redis/redis.conf
printf 'tls-cert-file /etc/redis/server.pem\ntls-key-file /etc/redis/server.key\n' >> /etc/redis/redis.conf
cat > conf.d/tls.conf <<'X'
ssl_cert_file = '/etc/postgresql/15/main/server.pem'
ssl_key_file = '/etc/postgresql/15/main/server.key'
X
sed -i 's/^host theirs/hostssl theirs/' pg_hba.conf
systemctl restart postgresql redis-server
cat ca.pem
"""
INSTALL = f"""set -e
export DEBIAN_FRONTEND=noninteractive
timeout 300 apt-get -qq update
apt-get -qq install -y --no-install-recommends postgresql redis-server >/dev/null
cd /tmp
su postgres -c psql <<'X'
CREATE ROLE somebody LOGIN PASSWORD '{PASSWORD}';
CREATE DATABASE theirs OWNER somebody;
ALTER SYSTEM SET listen_addresses = '*';
X
echo 'host theirs somebody 0.0.0.0/0 scram-sha-256' >> /etc/postgresql/15/main/pg_hba.conf
cat >> /etc/redis/redis.conf <<'X'
bind 0.0.0.0
requirepass "{PASSWORD}"
maxmemory-policy allkeys-lru
X
systemctl restart postgresql redis-server
"""
STATE = "cat /etc/postgresql/15/main/*.conf /etc/postgresql/15/main/conf.d/* /etc/redis/* | md5sum"


@pytest.fixture(scope="module")
def cluster(make_cluster: Callable[..., Cluster]) -> Cluster:
    cluster = make_cluster("e2eext", hosts=2)
    cluster.ssh(SERVERS, INSTALL)
    (cluster.directory / "ca.pem").write_text(cluster.ssh(SERVERS, CERTIFICATE))
    hosts = yaml.safe_load((cluster.directory / "hosts.yml").read_text())
    groups = ("scheduler", "webserver", "worker")
    wanted = {"all": {"hosts": {AIRFLOW: hosts["all"]["hosts"][AIRFLOW]}}}
    wanted |= {group: {"hosts": {AIRFLOW: None}} for group in groups}
    # The other host is reached by `ssh` alone, for the tests.
    wanted["all"]["hosts"][SERVERS] = hosts["all"]["hosts"][SERVERS]
    (cluster.directory / "hosts.yml").write_text(yaml.safe_dump(wanted))
    return cluster


def give_urls(cluster: Cluster, password: str) -> None:
    variables = yaml.safe_load((cluster.directory / "hosts.yml").read_text())
    address = variables["all"]["hosts"][SERVERS]["ansible_host"]
    cluster.set(
        f"metadata_db_url: postgresql+psycopg2://somebody:{password}@{address}:5432/theirs\n"
        f"broker_url: rediss://:{password}@{address}:6379\n"
        f"base_ca_certificates: [{cluster.directory}/ca.pem]\n"
        f"metadata_db_ca_certificate: {cluster.directory}/ca.pem\n"
    )


def test_a_wrong_password_is_found_before_anything_changes(cluster: Cluster) -> None:
    give_urls(cluster, "wrong")
    result = cluster.json("provision", "--limit", AIRFLOW, expect=2)
    database, broker = (f for f in result["findings"] if f["id"] == "services.login")
    assert "somebody" in database["what"]
    assert "password" in broker["what"]
    assert ":wrong@" not in json.dumps(result)
    assert cluster.ssh(AIRFLOW, "ls /opt /etc/airflow 2>/dev/null", check=False).strip() == "/opt:"


def test_a_certificate_of_another_authority_is_refused(cluster: Cluster) -> None:
    right = cluster.directory / "ca.pem"
    kept = right.read_text()
    give_urls(cluster, ESCAPED)
    right.write_text(cluster.ssh(SERVERS, "cat /etc/ssl/certs/ssl-cert-snakeoil.pem"))
    findings = cluster.json("provision", "--limit", AIRFLOW, expect=2)["findings"]
    assert "certificate verify failed" in " ".join(finding["what"] for finding in findings)
    right.write_text(kept)


def test_airflow_runs_on_servers_that_stay_as_they_are(cluster: Cluster) -> None:
    before = cluster.ssh(SERVERS, STATE)
    give_urls(cluster, ESCAPED)
    result = cluster.json("provision", "--limit", AIRFLOW)
    assert [finding["id"] for finding in result["findings"]] == [
        "secrets.plain", "secrets.plain", "services.eviction"
    ]  # fmt: skip
    assert any(check["name"] == "canary DAG" for check in result["checks"])
    assert cluster.ssh(SERVERS, STATE) == before
    tables = cluster.ssh(SERVERS, "cd /; su postgres -c \"psql -qtA theirs -c '\\dt'\"")
    assert "dag_run" in tables
    assert "inactive" in cluster.ssh(AIRFLOW, "systemctl is-active postgresql", check=False)
    assert_no_secret(cluster)


def test_second_provision_changes_nothing(cluster: Cluster) -> None:
    assert cluster.json("provision", "--no-verify", "--limit", AIRFLOW)["changes"] == []


@pytest.mark.extended
def test_a_key_that_does_not_fit_the_database_is_never_written(cluster: Cluster) -> None:
    """Where Airflow runs it is found by the check, on a host without it by the role."""
    cluster.ssh(AIRFLOW, "airflow variables set colour blue >/dev/null")
    right, wrong = cluster.vault()["airflow_fernet_key"], GENERATED["airflow_fernet_key"]()
    vault.update(Inventory.load(cluster.directory), {"airflow_fernet_key": wrong})
    refused = cluster.json("provision", "--limit", AIRFLOW, expect=2)
    assert "database.fernet_key" in {finding["id"] for finding in refused["findings"]}
    cluster.ssh(AIRFLOW, "systemctl stop 'airflow-*'; rm /opt/airflow/current /etc/airflow/*")
    (failure,) = cluster.json("provision", "--limit", AIRFLOW, expect=1)["failures"]
    assert "does not decrypt 1 variable (colour)" in failure["detail"]
    assert "airflow.env" not in cluster.ssh(AIRFLOW, "ls /etc/airflow")
    vault.update(Inventory.load(cluster.directory), {"airflow_fernet_key": right})
    cluster.toolkit("provision", "--limit", AIRFLOW)
