"""Removing a cluster from AWS: exactly what carries its tag, and proof that nothing is left."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import UTC, datetime

from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.providers.ec2 import managed
from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.apply import wait_unused
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.firewall import member_group
from toolkit.providers.ec2.found import LIVE, addresses, groups, instances, tagged
from toolkit.providers.ec2.service import FoundPart, Service
from toolkit.providers.ec2.waits import wait

ENDING = (*LIVE, "shutting-down")


def remove(
    account: Account, cluster: str, say: Callable[[str], None], final_snapshot: str = ""
) -> None:
    """Remove whatever carries a cluster's tag; may be repeated.

    Args:
        final_snapshot: the name of one that is kept of an RDS instance; "" for none.

    Raises:
        ToolkitError: something is left.
    """
    services = services_of(account, cluster)
    parts = managed.detect(account, cluster, services)
    servers = [part for part in parts if part.kind is part.service.server]
    if final_snapshot:
        say(f"the database is kept in the snapshot {final_snapshot}")
    for server in servers:  # first, as they take longest
        say(f"remove {server.kind.title} {server.name}")
        managed.remove(account, server, final_snapshot)
    ids = [instance.id for instance in instances(account, cluster, ENDING)]
    if ids:
        say(f"remove {len(ids)} instance(s): {', '.join(ids)}")
        account.ec2.terminate_instances(InstanceIds=ids)
        wait(account, "instance_terminated", InstanceIds=ids)
    for address in addresses(account, cluster):
        say(f"remove Elastic IP {address.ip}")
        account.ec2.release_address(AllocationId=address.id)
    volumes = _ids(account, "volume", cluster)
    if volumes:
        say(f"waiting until {len(volumes)} volume(s) are gone")
        wait(account, "volume_deleted", VolumeIds=volumes)
    _remove_parts(account, servers, [part for part in parts if part not in servers], say)
    _remove_groups(account, cluster, say)
    for pair in _ids(account, "key pair", cluster):
        say(f"remove key pair {pair}")
        account.ec2.delete_key_pair(KeyName=pair)
    left = remaining(account, cluster, services)
    if left:
        what = ", ".join(f"{kind} {identifier}" for identifier, kind in left.items())
        raise ToolkitError(
            f"these still carry the tag of {cluster}: {what}",
            fix="run the same command again",
            exit_code=EXIT_FAILED,
            id="ec2.left_over",
        )


def services_of(account: Account, cluster: str) -> tuple[Service, ...]:
    """The services that the cluster has something in, by its security groups."""
    return managed.in_use(cluster, groups(account, cluster), ())


def snapshot_name(config: Config, servers: Iterable[FoundPart]) -> str:
    """The name of the snapshot that ec2.yml wants of the database, a new one each second."""
    for one in servers:
        if one.status != "deleting" and config.managed.get(one.service.name, {}).get(
            "final_snapshot"
        ):
            return f"{one.name}-final-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    return ""


def _remove_parts(
    account: Account, servers: Collection[FoundPart], others: Iterable[FoundPart],
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Remove what servers were made with, once these are gone."""
    if servers:
        say(f"waiting until {', '.join(one.kind.title for one in servers)} are gone")
    for server in servers:
        managed.wait_deleted(account, server)
    for part in others:
        say(f"remove {part.kind.title} {part.name}")
        managed.remove(account, part)


def _remove_groups(account: Account, cluster: str, say: Callable[[str], None]) -> None:
    found = groups(account, cluster).values()
    wait_unused(account, [group.id for group in found])
    # The group of all members last: rules of the others name it.
    order = sorted(found, key=lambda group: group.name == member_group(cluster))
    for group in order:
        say(f"remove security group {group.name}")
        account.ec2.delete_security_group(GroupId=group.id)


def _ids(account: Account, kind: str, cluster: str) -> list[str]:
    return [found for found, what in remaining(account, cluster).items() if what == kind]


_KINDS = (
    ("volume", "describe_volumes", "Volumes", "VolumeId"),
    ("network interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("Elastic IP", "describe_addresses", "Addresses", "AllocationId"),
    ("security group", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("key pair", "describe_key_pairs", "KeyPairs", "KeyName"),
)


def remaining(account: Account, cluster: str, services: Iterable[Service] = ()) -> dict[str, str]:
    """Id -> kind of everything that carries the cluster's tag, but for ended instances.

    Args:
        services: what may have something beside EC2.

    Each kind is asked for itself: DescribeTags lags behind, and AWS shows an instance that has
    ended, with its tags, for about an hour.
    """
    found = {instance.id: "instance" for instance in instances(account, cluster, ENDING)}
    for kind, operation, key, identifier in _KINDS:
        answer = getattr(account.ec2, operation)(Filters=tagged(cluster))
        found |= {one[identifier]: kind for one in answer[key]}
    for part in managed.detect(account, cluster, services):
        found[str(part.raw[part.kind.arn])] = part.kind.title
    return found
