"""RDS: the metadata database as AWS' API wants it described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.cluster import Cluster, planner
from toolkit.cluster.tables import engines
from toolkit.cluster.topology import database, driver, server_port
from toolkit.providers.ec2.form import MANAGED
from toolkit.providers.ec2.service import Kind, Part, Service, Wish

_SUBNETS = Kind("DB subnet group", "DBSubnetGroup", "DBSubnetGroupName", "DBSubnetGroupArn")
_PARAMETERS = Kind(
    "DB parameter group", "DBParameterGroup", "DBParameterGroupName", "DBParameterGroupArn"
)
_INSTANCE = Kind(
    "RDS instance", "DBInstance", "DBInstanceIdentifier", "DBInstanceArn", "DBInstanceStatus"
)

_VERSIONS: Mapping[str, str] = {"postgres": "17", "mysql": "8.4"}
"""What is made when ec2.yml names no version; AWS chooses the newest minor one."""

_SET: Mapping[str, Mapping[str, str]] = {
    "postgres": {"rds.force_ssl": "1"},
    # As roles/mysql has them; the server's own defaults are others in older versions.
    "mysql": {
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_unicode_ci",
        "explicit_defaults_for_timestamp": "1",
    },
}
"""Parameters that Airflow needs, by engine."""


def _version(wish: Wish) -> str:
    return str(wish.section["engine_version"] or _VERSIONS[database(wish.cluster)])


def _family(engine: str, version: str) -> str:
    """postgres17, mysql8.4: PostgreSQL's major version has one number, MySQL's two."""
    numbers = 1 if engine == "postgres" else 2
    return engine + ".".join(version.split(".")[:numbers])


def _parts(wish: Wish) -> tuple[Part, ...]:
    engine, version, section = database(wish.cluster), _version(wish), wish.section
    copies = 2 if section["multi_az"] else 1
    parameters = [
        # Static ones cannot be set at once, and nothing runs yet.
        {"ParameterName": name, "ParameterValue": value, "ApplyMethod": "pending-reboot"}
        for name, value in _SET[engine].items()
    ]
    instance = {
        "Engine": engine,
        "EngineVersion": version,
        "DBInstanceClass": section["type"],
        "AllocatedStorage": section["storage_gb"],
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "MultiAZ": section["multi_az"],
        "BackupRetentionPeriod": section["backup_days"],
        "AutoMinorVersionUpgrade": True,
        "CopyTagsToSnapshot": True,
        "DeletionProtection": False,
        "PubliclyAccessible": False,
        "DBName": wish.cluster.setting("metadata_db_name"),
        "MasterUsername": wish.cluster.setting("metadata_db_user"),
        "Port": server_port(wish.cluster, "metadata_db"),
        "DBSubnetGroupName": wish.name,
        "DBParameterGroupName": wish.name,
    }
    where = "in two zones" if copies == 2 else "in one zone"
    return (
        Part(SERVICE, _SUBNETS, wish.name, {"SubnetIds": list(wish.subnets),
             "DBSubnetGroupDescription": "Airflow metadata database"}),
        Part(SERVICE, _PARAMETERS, wish.name, {"DBParameterGroupFamily": _family(engine, version),
             "Description": "What Airflow needs"},
             ", ".join(f"{name}={value}" for name, value in _SET[engine].items())),
        Part(SERVICE, _INSTANCE, wish.name, instance,
             f"{section['type']}, {engine} {version}, {section['storage_gb']} GB, {where}",
             {"modify_db_parameter_group": {
                 "DBParameterGroupName": wish.name, "Parameters": parameters}},
             ((copies, f"RDS instance {section['type']}"),
              (copies, f"RDS gp3 storage of {section['storage_gb']} GB"))),
    )  # fmt: skip


def _facts(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    keys = {"type": "DBInstanceClass", "storage_gb": "AllocatedStorage", "multi_az": "MultiAZ",
            "backup_days": "BackupRetentionPeriod", "engine_version": "EngineVersion"}  # fmt: skip
    return {key: raw.get(name) for key, name in keys.items()}


def _endpoint(raw: Mapping[str, Any]) -> tuple[str, int]:
    return raw["Endpoint"]["Address"], raw["Endpoint"]["Port"]


def _address(raw: Mapping[str, Any], password: str, cluster: Cluster) -> str:
    scheme = driver(cluster, engines()[raw["Engine"]]).scheme
    user, name = raw["MasterUsername"], raw["DBName"]
    return planner.database_url(*_endpoint(raw), user, password, name, scheme)


SERVICE = Service(
    name="rds",
    group=MANAGED["rds"],
    password="metadata_db_password",
    # Both engines' limits (API reference of CreateDBInstance, MasterUserPassword).
    takes=(r"[!#-&(-.0-?A-~]{8,41}", "8 to 41 characters, none of / ' \" @ or a space"),
    password_argument="MasterUserPassword",
    groups_argument="VpcSecurityGroupIds",
    kinds=(_SUBNETS, _PARAMETERS, _INSTANCE),
    available="db_instance_available",
    deleted="db_instance_deleted",
    stops=True,
    # AWS wants them even for an instance that is in one (CreateDBSubnetGroup).
    zones=lambda _: 2,
    parts=_parts,
    facts=_facts,
    endpoint=_endpoint,
    address=_address,
)
