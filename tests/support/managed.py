"""A cluster whose database and broker AWS runs, for tests against moto."""

from __future__ import annotations

from typing import Any

from support.cloud import EC2, Call, Cloud
from toolkit.cluster import vault as secrets
from toolkit.providers.ec2 import config

RDS = "rds: {type: db.t4g.medium}\n"
ELASTICACHE = "elasticache: {type: cache.t4g.small}\n"
HOSTS = EC2.replace("  data: {groups: [metadata_db, broker], type: t3.medium}\n", "")
MANAGED = HOSTS + RDS + ELASTICACHE
PARTS = {
    "DBSubnetGroups": 1,
    "DBParameterGroups": 1,
    "DBInstances": 1,
    "CacheSubnetGroups": 1,
    "ReplicationGroups": 1,
}


def parts(cloud: Cloud) -> dict[str, int]:
    """How many there are of everything that the two services hold, whoever made it."""
    rds, cache = cloud.client("rds"), cloud.client("elasticache")
    answers = [rds.describe_db_subnet_groups(), rds.describe_db_parameter_groups(),
               rds.describe_db_instances(), cache.describe_cache_subnet_groups(),
               cache.describe_replication_groups()]  # fmt: skip
    return {
        key: len(value) for answer in answers for key, value in answer.items()
        if isinstance(value, list)
    }  # fmt: skip


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
