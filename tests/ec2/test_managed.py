"""RDS and ElastiCache: made, connected, found again, stopped, removed; and what AWS says to it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.cloud import ALL, EC2, NOTHING, REGION, Answer, Call, Cloud, Dropped
from support.managed import ELASTICACHE, HOSTS, MANAGED, PARTS, RDS, parts

from toolkit.cluster import Cluster
from toolkit.cluster import vault as secrets
from toolkit.cluster.vaultfile import vault_file
from toolkit.errors import ToolkitError
from toolkit.providers.ec2 import config, connect
from toolkit.run import record as runs


@pytest.fixture
def managed(cloud: Cloud) -> Cloud:
    """Two hosts and two servers; Amazon's certificates were put there by somebody."""
    cloud.set(MANAGED)
    (cloud.directory / "rds-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    return cloud


def instance(cloud: Cloud) -> Any:
    [found] = cloud.client("rds").describe_db_instances()["DBInstances"]
    return found


def vault(cloud: Cloud) -> dict[str, Any]:
    return secrets.stored(config.load(cloud.directory).cluster())


def settings(cloud: Cloud, text: str) -> None:
    path = cloud.directory / "group_vars/all/airflow.yml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def fault(action: str, error: Exception, *, times: int = 99) -> Any:
    """Raise the error at the first calls of an action ("rds:CreateDBInstance")."""
    left = times

    def before(call: Call) -> None:
        nonlocal left
        if call.action == action and left:
            left -= 1
            raise error

    return before


def test_a_plan_shows_the_servers_and_changes_nothing(managed: Cloud) -> None:
    found = managed.json("plan")
    kinds = [one["kind"] for one in found["actions"] if one["name"] == "toolkit-prod"]
    assert kinds[-6:] == [
        "DB subnet group", "DB parameter group", "RDS instance",
        "cache subnet group", "cache parameter group", "ElastiCache replication group",
    ]  # fmt: skip
    assert found["billed"][-3:] == [
        "1 x RDS instance db.t4g.medium", "1 x RDS gp3 storage of 20 GB",
        "1 x ElastiCache node cache.t4g.small",
    ]  # fmt: skip
    assert managed.front.changes() == []
    assert not (managed.directory / "group_vars").exists()


def test_servers_are_made_once_and_as_ec2_yml_says(managed: Cloud) -> None:
    managed.set(HOSTS + "tags: {team: data}\nrds: {type: db.m7g.large, storage_gb: 50, "
                "multi_az: true, backup_days: 3}\n"
                "elasticache: {type: cache.t4g.small, multi_az: true, engine: valkey}\n")  # fmt: skip
    managed.up()
    found = instance(managed)
    wanted = {
        "DBInstanceIdentifier": "toolkit-prod", "DBInstanceClass": "db.m7g.large",
        "Engine": "postgres", "EngineVersion": "17", "AllocatedStorage": 50, "StorageType": "gp3",
        "StorageEncrypted": True, "MultiAZ": True, "BackupRetentionPeriod": 3,
        "PubliclyAccessible": False, "DBName": "airflow", "MasterUsername": "airflow",
        "DeletionProtection": False,
    }  # fmt: skip
    assert {key: found[key] for key in wanted} == wanted
    assert found["DBSubnetGroup"]["DBSubnetGroupName"] == "toolkit-prod"
    assert found["DBParameterGroups"][0]["DBParameterGroupName"] == "toolkit-prod"
    tags = {tag["Key"]: tag["Value"] for tag in found["TagList"]}
    assert tags == {"Name": "toolkit-prod", "toolkit-cluster": "prod", "team": "data"}
    [group] = managed.client("elasticache").describe_replication_groups()["ReplicationGroups"]
    wanted = {
        "ReplicationGroupId": "toolkit-prod", "CacheNodeType": "cache.t4g.small",
        "Engine": "valkey", "MultiAZ": "enabled", "AutomaticFailover": "enabled",
        "AuthTokenEnabled": True, "TransitEncryptionEnabled": True,
        "AtRestEncryptionEnabled": True, "SnapshotRetentionLimit": 0,
    }  # fmt: skip
    assert {key: group[key] for key in wanted} == wanted
    [call] = [c for c in managed.front.calls if c.action == "elasticache:CreateReplicationGroup"]
    assert call.parameters["NumCacheClusters"] == "2"  # moto makes one
    parameters = managed.client("elasticache").describe_cache_parameters(
        CacheParameterGroupName="toolkit-prod"
    )["Parameters"]
    assert [(p["ParameterName"], p["ParameterValue"]) for p in parameters] == [
        ("maxmemory-policy", "noeviction")
    ]
    managed.front.calls.clear()
    assert "nothing to do" in managed.up().stderr
    assert managed.front.changes() == []
    assert parts(managed) == PARTS


def test_only_members_reach_the_servers(managed: Cloud) -> None:
    settings(managed, "postgres_port: 5544\nredis_port: 6390\n")
    managed.up()
    rules = managed.rules()
    assert rules["toolkit-prod-rds"] == {(5544, "toolkit-prod")}
    assert rules["toolkit-prod-elasticache"] == {(6390, "toolkit-prod")}
    ids = {group["GroupName"]: group["GroupId"]
           for group in managed.ec2.describe_security_groups()["SecurityGroups"]}  # fmt: skip
    used = [one["VpcSecurityGroupId"] for one in instance(managed)["VpcSecurityGroups"]]
    assert used == [ids["toolkit-prod-rds"]]
    [call] = [c for c in managed.front.calls if c.action == "elasticache:CreateReplicationGroup"]
    assert [value for key, value in call.parameters.items() if key.startswith("SecurityGroupIds")
            ] == [ids["toolkit-prod-elasticache"]]  # fmt: skip
    assert instance(managed)["Endpoint"]["Port"] == 5544


def test_the_cluster_knows_its_servers(managed: Cloud) -> None:
    managed.up()
    known = vault(managed)
    user = f"airflow:{known['metadata_db_password']}"
    assert known["metadata_db_url"] == (
        f"postgresql+psycopg2://{user}@toolkit-prod.aaaaaaaaaa.{REGION}.rds.amazonaws.com:5432/"
        "airflow"
    )
    assert known["broker_url"].startswith(f"rediss://:{known['broker_password']}@master.toolkit-")
    assert known["metadata_db_ca_certificate"] == str(managed.directory / "rds-ca.pem")
    created = {call.action: call.parameters for call in managed.front.calls}
    password = created["rds:CreateDBInstance"]["MasterUserPassword"]
    assert password == known["metadata_db_password"]
    token = created["elasticache:CreateReplicationGroup"]["AuthToken"]
    assert token == known["broker_password"]
    # Nothing is said about it but in the vault, and what uses the cluster is content with it.
    assert vault_file(managed.directory).read_text().startswith("$ANSIBLE_VAULT")
    written = [path for path in (managed.directory.parent / "state").rglob("*") if path.is_file()]
    assert written
    for text in [path.read_text() for path in written]:
        assert password not in text and token not in text
    from toolkit import checks as rules
    from toolkit.cluster.settings import validate

    cluster = Cluster.load(managed.directory)
    assert validate(cluster) == []
    assert rules.validate_plan(cluster) == []


def test_mysql(managed: Cloud) -> None:
    settings(managed, "metadata_db_engine: mysql\n")
    managed.up()
    assert instance(managed)["Engine"] == "mysql"
    assert vault(managed)["metadata_db_url"].startswith("mysql+mysqldb://airflow:")
    assert "metadata_db_ca_certificate" not in vault(managed)
    parameters = managed.client("rds").describe_db_parameters(DBParameterGroupName="toolkit-prod")
    assert {(p["ParameterName"], p["ParameterValue"]) for p in parameters["Parameters"]} == {
        ("explicit_defaults_for_timestamp", "1"), ("character_set_server", "utf8mb4"),
        ("collation_server", "utf8mb4_unicode_ci"),
    }  # fmt: skip
    settings(managed, "metadata_db_engine: postgres\n")
    assert "RDS instance toolkit-prod is mysql" in managed.up(expect=2).stderr


def test_differences_are_noted(managed: Cloud) -> None:
    managed.up()
    managed.set(HOSTS.replace("t3.small", "t3.large") + "volume_gb: 50\n"
                'rds: {type: db.m7g.large, storage_gb: 40, engine_version: "17.2"}\n'
                "elasticache: {type: cache.m7g.large, multi_az: true, engine: valkey}\n")  # fmt: skip
    found = managed.json("plan")
    assert found["actions"] == []
    said = "\n".join(found["notes"])
    assert "airflow1 has a root volume of 30 GB, ec2.yml says 50" in said
    assert "worker2 is t3.small, ec2.yml says t3.large" in said
    assert "has type db.t4g.medium, ec2.yml says db.m7g.large" in said
    assert "has storage_gb 20, ec2.yml says 40" in said
    assert "has engine_version 17, ec2.yml says 17.2" in said
    assert "has type cache.t4g.small, ec2.yml says cache.m7g.large" in said
    assert "has multi_az false, ec2.yml says true" in said
    assert "has engine redis, ec2.yml says valkey" in said


def test_down_leaves_nothing(managed: Cloud) -> None:
    managed.up()
    assert "RDS instance" in managed.toolkit("down", expect=2).stderr
    managed.toolkit("down", "--confirm", "prod")
    assert parts(managed) == dict.fromkeys(PARTS, 0)
    assert managed.whole() == NOTHING
    assert managed.client("rds").describe_db_snapshots()["DBSnapshots"] == []
    left = set(vault(managed))
    assert not left & {"metadata_db_url", "broker_url", "metadata_db_ca_certificate"}
    assert "metadata_db_password" in left
    managed.up()
    assert parts(managed) == PARTS


def test_a_final_snapshot(managed: Cloud) -> None:
    managed.set(HOSTS + "rds: {type: db.t4g.medium, final_snapshot: true}\n" + ELASTICACHE)
    managed.up()
    done = managed.toolkit("down", "--confirm", "prod")
    [snapshot] = managed.client("rds").describe_db_snapshots()["DBSnapshots"]
    assert snapshot["DBSnapshotIdentifier"].startswith("toolkit-prod-final-")
    assert f"the snapshot {snapshot['DBSnapshotIdentifier']} stays, and costs" in done.stdout
    assert managed.whole() == NOTHING


def test_what_is_somebody_else_s_stays(managed: Cloud) -> None:
    managed.up()
    theirs = {"DBInstanceIdentifier": "theirs", "DBInstanceClass": "db.t4g.micro",
              "Engine": "postgres", "MasterUsername": "kim", "MasterUserPassword": "password1"}  # fmt: skip
    managed.client("rds").create_db_instance(**theirs, AllocatedStorage=20)
    managed.toolkit("down", "--confirm", "prod")
    assert instance(managed)["DBInstanceIdentifier"] == "theirs"
    managed.client("rds").create_db_instance(
        **theirs | {"DBInstanceIdentifier": "toolkit-prod"}, AllocatedStorage=20
    )
    done = managed.up(expect=1)
    assert "RDS instance toolkit-prod that the toolkit did not make" in done.stderr
    managed.toolkit("down", "--confirm", "prod")
    assert parts(managed)["DBInstances"] == 2


def test_stop_start_and_list(managed: Cloud) -> None:
    managed.up()
    done = managed.toolkit("stop")
    assert "AWS starts it again after seven days" in done.stderr
    assert "ElastiCache replication group toolkit-prod goes on, and costs" in done.stderr
    states = {one["service"]: one["state"] for one in managed.json("list")["managed"]}
    assert states == {"rds": "stopped", "elasticache": "available"}
    assert "1 x RDS instance that is stopped now" in managed.json("plan")["billed"]
    managed.up()
    assert instance(managed)["DBInstanceStatus"] == "available"
    managed.toolkit("stop")
    managed.toolkit("start", "--no-wait")
    listed = {one["service"]: one for one in managed.json("list")["managed"]}
    assert listed["rds"]["state"] == "available"
    assert listed["rds"]["endpoint"].endswith(".rds.amazonaws.com:5432")
    assert "db.t4g.medium" in managed.toolkit("list").stdout


def test_a_section_that_goes_does_not_take_its_data(managed: Cloud) -> None:
    managed.up()
    for gone, said in ((RDS, "no rds any more"), (ELASTICACHE, "no elasticache any more")):
        managed.set(MANAGED.replace(gone, "").replace(
            "[scheduler, webserver]",
            f"[scheduler, webserver, {'metadata_db' if gone == RDS else 'broker'}]"))  # fmt: skip
        done = managed.up("--yes", expect=2)
        assert said in done.stderr or "is set, and group" in done.stderr, done.stderr
    assert parts(managed) == PARTS


def test_what_a_server_was_to_be_made_with_goes(managed: Cloud) -> None:
    managed.front.before = fault("rds:CreateDBInstance", Answer("InstanceQuotaExceeded"))
    done = managed.up(expect=1)
    assert "AWS refused CreateDBInstance (InstanceQuotaExceeded)" in done.stderr
    assert "Service Quotas" in done.stderr
    managed.front.reset()
    assert parts(managed)["DBSubnetGroups"] == 1
    managed.set(EC2)
    managed.up("--yes")
    assert parts(managed) == dict.fromkeys(PARTS, 0)
    assert "toolkit-prod-rds" not in managed.rules()
    assert managed.whole() == ALL


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
