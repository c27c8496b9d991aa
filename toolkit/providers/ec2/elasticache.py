"""ElastiCache: the broker as AWS' API wants it described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from toolkit.cluster import Cluster
from toolkit.cluster.topology import server_port
from toolkit.providers.ec2.form import MANAGED
from toolkit.providers.ec2.service import Kind, Part, Service, Wish

_SUBNETS = Kind("cache subnet group", "CacheSubnetGroup", "CacheSubnetGroupName", "ARN")
_PARAMETERS = Kind("cache parameter group", "CacheParameterGroup", "CacheParameterGroupName", "ARN")
_REPLICATION = Kind(
    "ElastiCache replication group", "ReplicationGroup", "ReplicationGroupId", "ARN", "Status"
)

_VERSIONS: Mapping[str, str] = {"valkey": "8.0", "redis": "7.1"}
"""What is made when ec2.yml names no version."""

_SET: Mapping[str, str] = {"maxmemory-policy": "noeviction"}
"""Parameters: AWS' default may drop results of tasks when memory is full."""


def _parts(wish: Wish) -> tuple[Part, ...]:
    section = wish.section
    engine, copies = section["engine"], 2 if section["multi_az"] else 1
    version = section["engine_version"] or _VERSIONS[engine]
    group = {
        "ReplicationGroupDescription": "Airflow broker",
        "Engine": engine,
        "EngineVersion": version,
        "CacheNodeType": section["type"],
        "NumCacheClusters": copies,
        "MultiAZEnabled": section["multi_az"],
        "AutomaticFailoverEnabled": section["multi_az"],
        "AutoMinorVersionUpgrade": True,
        "TransitEncryptionEnabled": True,
        "AtRestEncryptionEnabled": True,
        "Port": server_port(wish.cluster, "broker"),
        "CacheSubnetGroupName": wish.name,
        "CacheParameterGroupName": wish.name,
    }
    parameters = [{"ParameterName": name, "ParameterValue": value} for name, value in _SET.items()]
    where = "in two zones" if copies == 2 else "in one zone"
    return (
        Part(SERVICE, _SUBNETS, wish.name, {"SubnetIds": list(wish.subnets),
             "CacheSubnetGroupDescription": "Airflow broker"}),
        Part(SERVICE, _PARAMETERS, wish.name, {"Description": "What Airflow needs",
             "CacheParameterGroupFamily": engine + version.split(".")[0]},
             ", ".join(f"{name}={value}" for name, value in _SET.items())),
        Part(SERVICE, _REPLICATION, wish.name, group,
             f"{section['type']}, {engine} {version}, {where}",
             {"modify_cache_parameter_group": {
                 "CacheParameterGroupName": wish.name, "ParameterNameValues": parameters}},
             ((copies, f"ElastiCache node {section['type']}"),)),
    )  # fmt: skip


def _facts(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    # The version of a replication group is not in AWS' description of it.
    return {"type": raw.get("CacheNodeType"), "engine": raw.get("Engine"),
            "multi_az": raw.get("MultiAZ") == "enabled"}  # fmt: skip


def _endpoint(raw: Mapping[str, Any]) -> tuple[str, int]:
    primary = raw["NodeGroups"][0]["PrimaryEndpoint"]
    return primary["Address"], primary["Port"]


def _address(raw: Mapping[str, Any], password: str, _: Cluster) -> str:
    host, port = _endpoint(raw)
    return f"rediss://:{quote(password, safe='')}@{host}:{port}"


SERVICE = Service(
    name="elasticache",
    group=MANAGED["elasticache"],
    password="broker_password",
    # API reference of CreateReplicationGroup, AuthToken.
    takes=(r"[A-Za-z0-9!&#$^<>-]{16,128}",
           "16 to 128 characters, letters, digits and ! & # $ ^ < > - only"),
    password_argument="AuthToken",
    groups_argument="SecurityGroupIds",
    kinds=(_SUBNETS, _PARAMETERS, _REPLICATION),
    available="replication_group_available",
    deleted="replication_group_deleted",
    stops=False,
    zones=lambda section: 2 if section["multi_az"] else 1,
    parts=_parts,
    facts=_facts,
    endpoint=_endpoint,
    address=_address,
)  # fmt: skip
