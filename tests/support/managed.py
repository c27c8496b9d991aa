"""A cluster whose database and broker AWS runs, for tests against moto."""

from __future__ import annotations

from support.cloud import EC2, Cloud

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
