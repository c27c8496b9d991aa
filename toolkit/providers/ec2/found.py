"""What a cluster has in AWS already, found by its tags."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.firewall import Rule
from toolkit.providers.ec2.service import FoundPart

CLUSTER_TAG = "toolkit-cluster"
HOST_TAG = "toolkit-host"
GROUPS_TAG = "toolkit-groups"
USER_TAG = "toolkit-user"
RULE_DESCRIPTION = "toolkit"
"""Marks the rules that the toolkit made; only those does it close again."""
SOURCES = {"IpRanges": "CidrIp", "Ipv6Ranges": "CidrIpv6", "UserIdGroupPairs": "GroupId"}
"""Where a permission of EC2 names who may come in, and by which key."""
LIVE = ("pending", "running", "stopping", "stopped")
"""States of instances that exist; the others are on their way out and cost nothing."""


@dataclass(frozen=True)
class Instance:
    """An instance that exists; addresses are "" while it has none, `launched` is ISO 8601.

    `root_volume` is the volume's id.
    """

    id: str
    host: str
    groups: tuple[str, ...]
    type: str
    state: str
    zone: str
    private: str
    public: str
    launched: str
    spot: bool = False
    root_volume: str = ""
    tags: Mapping[str, str] = field(repr=False, default_factory=dict)


@dataclass(frozen=True)
class FoundGroup:
    """A security group that exists; `rules` are the toolkit's, `foreign` counts the others."""

    id: str
    name: str
    vpc: str
    rules: frozenset[Rule]
    foreign: int = 0


@dataclass(frozen=True)
class Address:
    """An Elastic IP: its allocation id, the host it is for, and the instance that has it or ""."""

    id: str
    ip: str
    host: str
    instance: str


@dataclass(frozen=True)
class Found:
    """All of a cluster's parts.

    Attributes:
        key: the public key of the pair by the wanted name.
        volumes: id -> size in GB.
        parts: of servers that AWS runs.
    """

    instances: tuple[Instance, ...] = ()
    groups: Mapping[str, FoundGroup] = field(default_factory=dict)
    addresses: tuple[Address, ...] = ()
    key: str | None = None
    volumes: Mapping[str, int] = field(default_factory=dict)
    parts: tuple[FoundPart, ...] = ()


def tagged(cluster: str) -> list[dict[str, Any]]:
    """The filter that finds what carries this cluster's tag."""
    return [{"Name": f"tag:{CLUSTER_TAG}", "Values": [cluster]}]


def tags_of(resource: Mapping[str, Any]) -> dict[str, str]:
    """A resource's tags as a dictionary."""
    return {tag["Key"]: tag["Value"] for tag in resource.get("Tags") or ()}


def detect(account: Account, cluster: str, key_pair: str) -> Found:
    """Everything that carries the cluster's tag, and the key pair of that name."""
    answer = account.ec2.describe_key_pairs(
        Filters=[{"Name": "key-name", "Values": [key_pair]}], IncludePublicKey=True
    )
    pair = next(iter(answer["KeyPairs"]), None)
    return Found(
        instances=instances(account, cluster),
        groups=groups(account, cluster),
        addresses=addresses(account, cluster),
        key=None if pair is None else str(pair.get("PublicKey", "")),
        volumes=_volumes(account, cluster),
    )


def _volumes(account: Account, cluster: str) -> dict[str, int]:
    pages = account.ec2.get_paginator("describe_volumes").paginate(Filters=tagged(cluster))
    return {one["VolumeId"]: one["Size"] for page in pages for one in page["Volumes"]}


def instances(account: Account, cluster: str, states: Iterable[str] = LIVE) -> tuple[Instance, ...]:
    """The cluster's instances in these states, by host name, older ones first."""
    filters = [*tagged(cluster), {"Name": "instance-state-name", "Values": list(states)}]
    pages = account.ec2.get_paginator("describe_instances").paginate(Filters=filters)
    found = [
        _instance(one)
        for page in pages
        for reservation in page["Reservations"]
        for one in reservation["Instances"]
    ]
    return tuple(sorted(found, key=lambda one: (one.host, one.launched, one.id)))


def _instance(raw: Mapping[str, Any]) -> Instance:
    tags = tags_of(raw)
    return Instance(
        id=raw["InstanceId"],
        host=tags.get(HOST_TAG, raw["InstanceId"]),
        groups=tuple(tags.get(GROUPS_TAG, "").split()),
        type=raw["InstanceType"],
        state=raw["State"]["Name"],
        zone=raw.get("Placement", {}).get("AvailabilityZone", ""),
        private=raw.get("PrivateIpAddress", ""),
        public=raw.get("PublicIpAddress", ""),
        launched=raw["LaunchTime"].isoformat(timespec="seconds"),
        spot=raw.get("InstanceLifecycle") == "spot",
        root_volume=next(
            (one["Ebs"]["VolumeId"] for one in raw.get("BlockDeviceMappings", ())
             if one["DeviceName"] == raw.get("RootDeviceName")), ""
        ),
        tags=tags,
    )  # fmt: skip


def addresses(account: Account, cluster: str) -> tuple[Address, ...]:
    """The cluster's Elastic IPs by host; of several for one host, the one in use first."""
    answer = account.ec2.describe_addresses(Filters=tagged(cluster))["Addresses"]
    found = [
        Address(one["AllocationId"], one["PublicIp"], tags_of(one).get(HOST_TAG, ""),
                one.get("InstanceId") or "")
        for one in answer
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda one: (one.host, not one.instance, one.id)))


def groups(account: Account, cluster: str) -> dict[str, FoundGroup]:
    """The cluster's security groups by name."""
    pages = account.ec2.get_paginator("describe_security_groups").paginate(Filters=tagged(cluster))
    found = [group for page in pages for group in page["SecurityGroups"]]
    names = {group["GroupId"]: group["GroupName"] for group in found}
    return {group["GroupName"]: _group(group, names) for group in found}


def _group(raw: Mapping[str, Any], names: Mapping[str, str]) -> FoundGroup:
    rules = list(_rules(raw, names))
    ours = frozenset(rule for rule in rules if rule is not None)
    return FoundGroup(raw["GroupId"], raw["GroupName"], raw["VpcId"], ours, rules.count(None))


def _rules(group: Mapping[str, Any], names: Mapping[str, str]) -> Iterable[Rule | None]:
    """The group's rules; None for each that the toolkit did not make."""
    for permission in group["IpPermissions"]:
        for kind, key in SOURCES.items():
            for source in permission.get(kind, ()):
                ours = source.get("Description") == RULE_DESCRIPTION
                target = names.get(source[key], source[key])
                yield Rule(permission["FromPort"], target) if ours else None
