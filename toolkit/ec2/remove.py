"""Removing a cluster from AWS: exactly what carries its tag, and proof that nothing is left."""

from __future__ import annotations

from collections.abc import Callable

from toolkit.ec2.account import Account
from toolkit.ec2.apply import wait_unused
from toolkit.ec2.firewall import member_group
from toolkit.ec2.found import LIVE, addresses, groups, instances, tagged
from toolkit.ec2.waits import wait
from toolkit.errors import EXIT_FAILED, ToolkitError

ENDING = (*LIVE, "shutting-down")


def remove(account: Account, cluster: str, say: Callable[[str], None]) -> None:
    """Remove whatever carries a cluster's tag; may be repeated.

    Raises:
        ToolkitError: something is left.
    """
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
    _remove_groups(account, cluster, say)
    for pair in _ids(account, "key pair", cluster):
        say(f"remove key pair {pair}")
        account.ec2.delete_key_pair(KeyName=pair)
    left = remaining(account, cluster)
    if left:
        what = ", ".join(f"{kind} {identifier}" for identifier, kind in left.items())
        raise ToolkitError(
            f"these still carry the tag of {cluster}: {what}",
            fix="run the same command again",
            exit_code=EXIT_FAILED,
        )


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


def remaining(account: Account, cluster: str) -> dict[str, str]:
    """Id -> kind of everything that carries the cluster's tag, but for ended instances.

    Each kind is asked for itself: DescribeTags lags behind, and AWS shows an instance that has
    ended, with its tags, for about an hour.
    """
    found = {instance.id: "instance" for instance in instances(account, cluster, ENDING)}
    for kind, operation, key, identifier in _KINDS:
        answer = getattr(account.ec2, operation)(Filters=tagged(cluster))
        found |= {one[identifier]: kind for one in answer[key]}
    return found
