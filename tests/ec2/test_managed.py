"""RDS and ElastiCache: made, connected, found again, stopped, removed; and what AWS says to it."""

from __future__ import annotations

from support.cloud import ALL, EC2, NOTHING, REGION, Answer, Cloud
from support.managed import (
    ELASTICACHE,
    HOSTS,
    MANAGED,
    PARTS,
    RDS,
    fault,
    instance,
    parts,
    settings,
    vault,
)

from toolkit.cluster import Cluster
from toolkit.cluster.vaultfile import vault_file


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
