"""moto's server with what moto lacks of ElastiCache, and of what AWS refuses on the way down.

Missing in moto 5.2: cache parameter groups, DeleteCacheSubnetGroup, a replication group that is ever
gone; and nothing there is ever in use, or made twice.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models.security_groups import SecurityGroupBackend
from moto.elasticache.models import ElastiCacheBackend, elasticache_backends
from moto.elasticache.responses import ElastiCacheResponse
from moto.rds.models import RDSBackend, rds_backends
from moto.server import main


def refusal(code: str, message: str = "as AWS says it") -> ServiceException:
    made: ServiceException = type(code, (ServiceException,), {"code": code, "message": message})()
    return made


class CacheParameters(ElastiCacheResponse):
    """The operations that ElastiCacheResponse does not have."""

    @property
    def _groups(self) -> dict[str, Any]:
        found: dict[str, Any] = self.elasticache_backend.__dict__.setdefault(
            "_parameter_groups", {}
        )
        return found

    def create_cache_parameter_group(self) -> ActionResult:
        name, family = self._get_param("CacheParameterGroupName"), self._get_param(
            "CacheParameterGroupFamily")  # fmt: skip
        if name in self._groups:
            raise refusal("CacheParameterGroupAlreadyExists")
        if not re.fullmatch(r"(redis7|valkey[78])", family):
            raise refusal("InvalidParameterValue", f"no family {family}")
        backend = self.elasticache_backend
        arn = f"arn:aws:elasticache:{self.region}:{backend.account_id}:parametergroup:{name}"
        backend.arn_regex = re.compile(r"^arn:aws:elasticache:.*")
        backend.tagging_service.tag_resource(arn, self._get_param("Tags", []))
        self._groups[name] = SimpleNamespace(
            cache_parameter_group_name=name, cache_parameter_group_family=family, arn=arn,
            parameters={},
        )  # fmt: skip
        return ActionResult({"CacheParameterGroup": self._groups[name]})

    def modify_cache_parameter_group(self) -> ActionResult:
        group = self._group()
        for one in self._get_param("ParameterNameValues", []):
            group.parameters[one["ParameterName"]] = one["ParameterValue"]
        return ActionResult({"CacheParameterGroupName": group.cache_parameter_group_name})

    def describe_cache_parameter_groups(self) -> ActionResult:
        return ActionResult({"CacheParameterGroups": [self._group()]})

    def describe_cache_parameters(self) -> ActionResult:
        return ActionResult({"Parameters": [
            {"ParameterName": name, "ParameterValue": value}
            for name, value in self._group().parameters.items()
        ]})  # fmt: skip

    def delete_cache_parameter_group(self) -> EmptyResult:
        name = self._group().cache_parameter_group_name
        for one in self.elasticache_backend.replication_groups.values():
            if one.cache_parameter_group_name == name:
                raise refusal("InvalidCacheParameterGroupState")
        del self._groups[name]
        return EmptyResult()

    def delete_cache_subnet_group(self) -> EmptyResult:
        name, backend = self._get_param("CacheSubnetGroupName"), self.elasticache_backend
        if name not in backend.cache_subnet_groups:
            raise refusal("CacheSubnetGroupNotFoundFault")
        if any(g.cache_subnet_group_name == name for g in backend.replication_groups.values()):
            raise refusal("CacheSubnetGroupInUse")
        del backend.cache_subnet_groups[name]
        return EmptyResult()

    def _group(self) -> Any:
        name = self._get_param("CacheParameterGroupName")
        if name not in self._groups:
            raise refusal("CacheParameterGroupNotFound")
        return self._groups[name]


for operation, function in vars(CacheParameters).items():
    if not operation.startswith("__"):
        setattr(ElastiCacheResponse, operation, function)

_make_group = ElastiCacheBackend.create_replication_group


def create_replication_group(self: Any, **given: Any) -> Any:
    """Refuses what AWS refuses, where moto looks at nothing."""
    if given["cache_subnet_group_name"] not in self.cache_subnet_groups:
        raise refusal("CacheSubnetGroupNotFoundFault")
    if given["cache_parameter_group_name"] not in self.__dict__.get("_parameter_groups", {}):
        raise refusal("CacheParameterGroupNotFound")
    if not re.fullmatch(r"[A-Za-z0-9!&#$^<>-]{16,128}", given["auth_token"]):
        raise refusal("InvalidParameterValue", "Invalid AuthToken provided.")
    return _make_group(self, **given)


def delete_replication_group(self: Any, replication_group_id: str, **_: Any) -> Any:
    if replication_group_id not in self.replication_groups:
        raise refusal("ReplicationGroupNotFoundFault")
    group = self.replication_groups.pop(replication_group_id)
    group.status = "deleting"
    return group


_make_subnets, _drop_subnets = RDSBackend.create_subnet_group, RDSBackend.delete_subnet_group
_drop_parameters = RDSBackend.delete_db_parameter_group
_drop_security_group = SecurityGroupBackend.delete_security_group


def create_subnet_group(self: Any, subnet_name: str, *more: Any) -> Any:
    if subnet_name in self.subnet_groups:
        raise refusal("DBSubnetGroupAlreadyExists")
    made = _make_subnets(self, subnet_name, *more)
    if len({subnet.availability_zone for subnet in made._subnets}) < 2:
        del self.subnet_groups[subnet_name]
        raise refusal("DBSubnetGroupDoesNotCoverEnoughAZs")
    return made


def delete_subnet_group(self: Any, subnet_name: str) -> Any:
    if any(one._db_subnet_group_name == subnet_name for one in self.databases.values()):
        raise refusal("InvalidDBSubnetGroupStateFault")
    return _drop_subnets(self, subnet_name)


def delete_db_parameter_group(self: Any, name: str) -> Any:
    if any(one.db_parameter_group_name == name for one in self.databases.values()):
        raise refusal("InvalidDBParameterGroupState")
    return _drop_parameters(self, name)


def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> Any:
    from moto.ec2.exceptions import DependencyViolationError

    place = (self.account_id, self.region_name)
    databases = rds_backends[place[0]][place[1]].databases.values()
    groups = elasticache_backends[place[0]][place[1]].replication_groups.values()
    used = [used for one in databases for used in one.vpc_security_group_ids]
    used += [used for one in groups for used in one.security_group_ids or ()]
    if group_id in used:
        raise DependencyViolationError(f"resource {group_id} has a dependent object")
    return _drop_security_group(self, name, group_id)


for backend, instead in (
    (ElastiCacheBackend, create_replication_group),
    (ElastiCacheBackend, delete_replication_group),
    (RDSBackend, create_subnet_group),
    (RDSBackend, delete_subnet_group),
    (RDSBackend, delete_db_parameter_group),
    (SecurityGroupBackend, delete_security_group),
):
    setattr(backend, instead.__name__, instead)

if __name__ == "__main__":
    main()
