"""What RDS and ElastiCache refuse, and what is refused before AWS is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.cloud import ALL, NOTHING, Answer, Cloud, Dropped
from support.managed import (
    ELASTICACHE,
    HOSTS,
    MANAGED,
    PARTS,
    RDS,
    fault,
    parts,
    settings,
    vault,
)

from toolkit.cluster import vault as secrets
from toolkit.errors import ToolkitError
from toolkit.providers.ec2 import config, connect
from toolkit.run import record as runs


def test_a_database_of_the_cluster_s_own_is_not_replaced(cloud: Cloud) -> None:
    cloud.up()
    (cloud.directory / "rds-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    for text in (HOSTS + "  data: {groups: [scheduler], type: t3.medium}\n", HOSTS):
        cloud.set(text + RDS + ELASTICACHE)
        done = cloud.up("--yes", expect=2)
        assert "data1" in done.stderr and "holds the metadata database" in done.stderr
    assert cloud.whole() == ALL
    assert parts(cloud) == dict.fromkeys(PARTS, 0)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"metadata_db_url": "postgresql://u:pw@db.example.com/airflow"},
         "metadata_db_url names a server already, db.example.com"),
        ({"broker_password": "with_underscore_it_is_long_enough"},
         "broker_password is not what elasticache takes"),
        ({"metadata_db_password": "with a/slash"}, "metadata_db_password is not what rds takes"),
    ],
)  # fmt: skip
def test_a_vault_that_does_not_go_with_it(
    managed: Cloud, variables: dict[str, str | None], said: str
) -> None:
    cluster = config.load(managed.directory).cluster()
    secrets.update(cluster, variables)
    done = managed.up(expect=2)
    assert said in done.stderr and "fix:" in done.stderr
    assert not any(str(value) in done.stderr for value in variables.values())
    assert managed.front.changes() == []
    secrets.update(cluster, dict.fromkeys(variables))
    secrets.update(cluster, {"metadata_db_password": "a-good-one-of-mine"})
    managed.up()
    assert ":a-good-one-of-mine@" in vault(managed)["metadata_db_url"]


def test_subnets_of_one_zone_are_found_before_anything_is_made(managed: Cloud) -> None:
    subnets = managed.ec2.describe_subnets()["Subnets"]
    managed.set(MANAGED + f"subnets: [{subnets[0]['SubnetId']}]\n")
    done = managed.up(expect=2)
    assert "rds needs subnets in 2 zones" in done.stderr
    assert managed.front.changes() == []
    managed.set(HOSTS.replace("[scheduler, webserver]", "[scheduler, webserver, metadata_db]")
                + ELASTICACHE + f"subnets: [{subnets[0]['SubnetId']}]\n")  # fmt: skip
    managed.up()
    assert parts(managed)["ReplicationGroups"] == 1


@pytest.mark.parametrize(
    ("change", "said", "line"),
    [
        (("db.t4g.medium", "t3.medium"), "'t3.medium' is not an instance class of RDS", 8),
        (("cache.t4g.small", "t3.medium"), "'t3.medium' is not a node type of ElastiCache", 9),
        (("db.t4g.medium", "db.t4g.medium, storage_gb: 5"), "5 GB cannot be had", 8),
        (("db.t4g.medium", "db.t4g.medium, backup_days: 99"), "99 days are not possible", 8),
        (("db.t4g.medium", "db.t4g.medium, engine_version: 17"), "engine_version has to be text", 8),
        (("db.t4g.medium", "db.t4g.medium, multi-az: true"), "there is no key multi-az", 8),
        (("cache.t4g.small", "cache.t4g.small, engine: memcached"), "engine cannot be", 9),
        (("cache.t4g.small", 'cache.t4g.small, engine_version: "6.2"'), "a version from 7.0", 9),
        (("rds: {type: db.t4g.medium}", "rds: db.t4g.medium"), "rds has to be a dictionary", 8),
        (("[scheduler, webserver]", "[scheduler, webserver, metadata_db]"),
         "airflow has group metadata_db, and rds is in its place", 6),
        (("worker: {groups: [worker]", "more: {groups: [scheduler]"), "elasticache is for workers", 9),
        (("worker: {", "rds: {"), "rds names a server that AWS runs", 7),
        (("region:", "name: Prod_1\nregion:"), "a name for a server that AWS runs", 0),
    ],
)  # fmt: skip
def test_a_wrong_section_makes_no_call(
    managed: Cloud, change: tuple[str, str], said: str, line: int
) -> None:
    managed.set(MANAGED.replace(*change))
    done = managed.toolkit("up", expect=2)
    assert said in done.stderr and "fix:" in done.stderr
    assert (f"ec2.yml:{line}:" if line else "ec2.yml") in done.stderr
    assert managed.front.calls == []


@pytest.mark.parametrize(
    ("action", "code", "words"),
    [
        ("elasticache:CreateReplicationGroup", "NodeQuotaForCustomerExceeded", "Service Quotas"),
        ("elasticache:CreateReplicationGroup", "InsufficientCacheClusterCapacity", "capacity"),
        ("rds:CreateDBInstance", "InsufficientDBInstanceCapacity", "capacity"),
        ("rds:CreateDBSubnetGroup", "DBSubnetGroupDoesNotCoverEnoughAZs", "subnets"),
    ],
)
def test_refusals_are_told_and_mended_by_the_next_run(
    managed: Cloud, action: str, code: str, words: str
) -> None:
    managed.front.before = fault(action, Answer(code))
    done = managed.up(expect=1)
    assert code in done.stderr and words in done.stderr.partition("fix:")[2]
    managed.front.reset()
    managed.up()
    assert parts(managed) == PARTS


def test_a_missing_permission_names_the_service(managed: Cloud) -> None:
    managed.front.before = fault("elasticache:CreateReplicationGroup", Answer("AccessDenied"))
    statement = {"Effect": "Allow", "Action": "elasticache:CreateReplicationGroup", "Resource": "*"}
    assert json.dumps(statement) in managed.up(expect=1).stderr


@pytest.mark.parametrize(
    ("verb", "action"),
    [
        ("up", "rds:ModifyDBParameterGroup"),
        ("up", "elasticache:CreateReplicationGroup"),
        ("down", "rds:DeleteDBInstance"),
        ("down", "elasticache:DeleteCacheSubnetGroup"),
    ],
)
def test_the_api_goes_down(managed: Cloud, verb: str, action: str) -> None:
    down = ("down", "--confirm", "prod")
    if verb == "down":
        managed.up()
    managed.front.before = fault(action, Dropped())
    done = managed.toolkit(*down, expect=1) if verb == "down" else managed.up(expect=1)
    assert "AWS cannot be reached" in done.stderr
    managed.front.reset()
    managed.up()
    assert parts(managed) == PARTS
    managed.toolkit(*down)
    assert parts(managed) == dict.fromkeys(PARTS, 0)
    assert managed.whole() == NOTHING


def test_records_hold_no_password(managed: Cloud) -> None:
    managed.up()
    [run] = runs.recorded(managed.directory)
    known = vault(managed)
    text = "".join(path.read_text() for path in Path(run["directory"]).iterdir())
    assert "RDS instance" in text
    assert known["metadata_db_password"] not in text and known["broker_password"] not in text


def test_certificates_are_fetched(managed: Cloud) -> None:
    """From a server here; Amazon's was not reached."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            text = b"-----BEGIN CERTIFICATE-----\nAAAA\n" if "pem" in self.path else b"<html>"
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address, path = f"http://127.0.0.1:{server.server_port}", managed.directory / "rds-ca.pem"
    chosen = config.load(managed.directory)
    cluster = chosen.cluster()
    path.unlink()
    with pytest.raises(ToolkitError, match="no PEM file") as told:
        connect.certificate(chosen, cluster, f"{address}/index")
    assert str(path) in str(told.value.fix) and not path.exists()
    assert connect.certificate(chosen, cluster, f"{address}/global.pem") == str(path)
    server.shutdown()
    server.server_close()
    assert "AAAA" in path.read_text()
    assert connect.certificate(chosen, cluster, "http://127.0.0.1:1/x") == str(path)
    path.unlink()
    settings(managed, "metadata_db_ca_certificate: /etc/ca.pem\n")
    assert connect.certificate(chosen, chosen.cluster(), "http://127.0.0.1:1/x") == "/etc/ca.pem"
