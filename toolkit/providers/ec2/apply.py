"""Carrying out a plan. Every step may be repeated: what was done is found by its tags."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.providers.ec2 import managed
from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.errors import code_of, no_capacity
from toolkit.providers.ec2.firewall import Rule, SecurityGroup, set_group
from toolkit.providers.ec2.found import (
    CLUSTER_TAG,
    GROUPS_TAG,
    HOST_TAG,
    RULE_DESCRIPTION,
    USER_TAG,
    Address,
    Found,
    FoundGroup,
    Instance,
    addresses,
    instances,
    tagged,
)
from toolkit.providers.ec2.images import Image
from toolkit.providers.ec2.launches import Launches
from toolkit.providers.ec2.network import Network
from toolkit.providers.ec2.plan import Action, Plan, Server, key_name
from toolkit.providers.ec2.service import FoundPart, Part
from toolkit.providers.ec2.waits import wait


@dataclass
class Work:
    """What carrying out a plan needs, and the instances that it has started.

    Attributes:
        group_ids: security group -> id, of those that exist.
        drain: called with an instance before it is removed.
        passwords: by service, of servers that AWS runs.
        started: host -> id of instances that were launched or started.
        running: whether these have been waited for.
    """

    account: Account
    config: Config
    network: Network
    images: Mapping[str, Image]
    public_key: str
    user_data: str
    group_ids: dict[str, str]
    launches: Launches
    drain: Callable[[Instance], None]
    say: Callable[[str], None]
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)
    started: dict[str, str] = field(default_factory=dict)
    running: bool = False


def carry_out(plan: Plan, work: Work) -> None:
    """Do the plan's actions in their order, then wait until every instance runs.

    Raises:
        ToolkitError: an instance ended while it was waited for.
        botocore.exceptions.BotoCoreError, ClientError: see toolkit.ec2.errors.
    """
    for action in plan.actions:
        work.say(str(action))
        _STEPS[action.verb, action.kind](action, work)
    _await_started(work)


def _await_started(work: Work) -> None:
    if work.started and not work.running:
        work.say(f"waiting until {', '.join(work.started)} run")
        wait_running(work.account, work.started)
        work.launches.forget(work.started)
    work.running = True


def tags(config: Config, name: str, **more: str) -> list[dict[str, str]]:
    """The tags of a resource, as EC2 takes them."""
    chosen = {**config.tags, "Name": name, CLUSTER_TAG: config.name, **more}
    return [{"Key": key, "Value": value} for key, value in chosen.items()]


def _tagging(kind: str, config: Config, name: str, more: Mapping[str, str]) -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": tags(config, name, **more)}


def _import_key(action: Action, work: Work) -> None:
    work.account.ec2.import_key_pair(
        KeyName=action.name,
        PublicKeyMaterial=work.public_key.encode(),
        TagSpecifications=[_tagging("key-pair", work.config, action.name, {})],
    )


def _create_group(action: Action, work: Work) -> None:
    from botocore.exceptions import ClientError

    assert isinstance(action.subject, SecurityGroup)
    try:
        made = work.account.ec2.create_security_group(
            GroupName=action.name,
            Description=action.subject.description,
            VpcId=work.network.vpc,
            TagSpecifications=[_tagging("security-group", work.config, action.name, {})],
        )["GroupId"]
    except ClientError as error:
        if code_of(error) != "InvalidGroup.Duplicate":
            raise
        made = _group_of_earlier_run(action.name, work)
    wait(work.account, "security_group_exists", GroupIds=[made])
    work.group_ids[action.name] = made


def _group_of_earlier_run(name: str, work: Work) -> str:
    """A group that was made just before the last run was interrupted, so not seen by its tags."""
    by_name = [{"Name": "group-name", "Values": [name]},
               {"Name": "vpc-id", "Values": [work.network.vpc]}]  # fmt: skip
    filters = [*by_name, *tagged(work.config.name)]
    for group in work.account.ec2.describe_security_groups(Filters=filters)["SecurityGroups"]:
        return str(group["GroupId"])
    raise ToolkitError(
        f"there is a security group {name} in {work.network.vpc} that the toolkit did not make",
        where=str(work.config.path),
        fix="give the cluster another name in ec2.yml, or remove that group",
        exit_code=EXIT_FAILED,
        id="ec2.name_taken",
    )


def _permission(rule: Rule, group_ids: Mapping[str, str]) -> dict[str, Any]:
    """A rule as EC2 takes it."""
    permission = {"IpProtocol": "tcp", "FromPort": rule.port, "ToPort": rule.port}
    if "/" not in rule.source:
        kind, key, source = "UserIdGroupPairs", "GroupId", group_ids.get(rule.source, rule.source)
    elif ":" in rule.source:
        kind, key, source = "Ipv6Ranges", "CidrIpv6", rule.source
    else:
        kind, key, source = "IpRanges", "CidrIp", rule.source
    return permission | {kind: [{key: source, "Description": RULE_DESCRIPTION}]}


def _open_rule(action: Action, work: Work) -> None:
    from botocore.exceptions import ClientError

    assert isinstance(action.subject, Rule)
    try:
        work.account.ec2.authorize_security_group_ingress(
            GroupId=work.group_ids[action.name],
            IpPermissions=[_permission(action.subject, work.group_ids)],
        )
    except ClientError as error:
        if code_of(error) != "InvalidPermission.Duplicate":
            raise


def _close_rule(action: Action, work: Work) -> None:
    assert isinstance(action.subject, Rule)
    work.account.ec2.revoke_security_group_ingress(
        GroupId=work.group_ids[action.name],
        IpPermissions=[_permission(action.subject, work.group_ids)],
    )


def _remove_group(action: Action, work: Work) -> None:
    assert isinstance(action.subject, FoundGroup)
    wait_unused(work.account, [action.subject.id])
    work.account.ec2.delete_security_group(GroupId=action.subject.id)


def _launch(action: Action, work: Work) -> None:
    """Launch an instance in the first subnet that has capacity for it."""
    from botocore.exceptions import ClientError

    server = action.subject
    assert isinstance(server, Server)
    for subnet in work.network.subnets:
        try:
            work.started[server.host] = _launch_in(subnet, server, work)
            return
        except ClientError as error:
            if not no_capacity(error) or subnet == work.network.subnets[-1]:
                raise
            work.say(f"{subnet} has no capacity for {server.type}; trying the next subnet")


def _launch_in(subnet: str, server: Server, work: Work) -> str:
    from botocore.exceptions import ClientError

    arguments = launch_arguments(server, work, subnet)
    run = work.account.ec2.run_instances
    try:
        made = run(**arguments, ClientToken=work.launches.token(server.host, arguments))
    except ClientError as error:
        if code_of(error) != "IdempotentInstanceTerminated":
            raise
        # The interrupted launch's instance has ended meanwhile: this is a launch of its own.
        work.launches.forget([server.host])
        made = run(**arguments, ClientToken=work.launches.token(server.host, arguments))
    return str(made["Instances"][0]["InstanceId"])


def launch_arguments(server: Server, work: Work, subnet: str) -> dict[str, Any]:
    """The arguments of RunInstances, without the client token."""
    config, image = work.config, work.images[server.type]
    own = {HOST_TAG: server.host, GROUPS_TAG: " ".join(server.groups), USER_TAG: server.user}
    name = f"{config.name}-{server.host}"
    volume = {"VolumeSize": config.volume_gb, "VolumeType": "gp3", "Encrypted": True,
              "DeleteOnTermination": True}  # fmt: skip
    interface = {"DeviceIndex": 0, "SubnetId": subnet, "DeleteOnTermination": True,
                 "AssociatePublicIpAddress": server.address != "private",
                 "Groups": [work.group_ids[group] for group in server.security_groups]}  # fmt: skip
    optional: dict[str, Any] = {"UserData": work.user_data} if work.user_data else {}
    if server.spot:
        # One that AWS takes away ends; the next `up` makes another.
        optional["InstanceMarketOptions"] = {
            "MarketType": "spot",
            "SpotOptions": {"SpotInstanceType": "one-time"},
        }
    if config.instance_profile and server.groups:  # DAGs do not run on a bastion
        optional["IamInstanceProfile"] = {"Name": config.instance_profile}
    return optional | {
        "ImageId": image.id,
        "InstanceType": server.type,
        "KeyName": key_name(config),
        "MinCount": 1,
        "MaxCount": 1,
        "NetworkInterfaces": [interface],
        "BlockDeviceMappings": [{"DeviceName": image.root_device, "Ebs": volume}],
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "TagSpecifications": [
            _tagging("instance", config, name, own),
            _tagging("volume", config, name, {}),
            _tagging("network-interface", config, name, {}),
        ],
    }


def _start(action: Action, work: Work) -> None:
    assert isinstance(action.subject, Instance)
    instance = action.subject
    start(work.account, [instance])
    work.started[instance.host] = instance.id


def start(account: Account, stopped: Iterable[Instance]) -> None:
    """Start stopped instances; one that is still stopping is waited for first."""
    chosen = list(stopped)
    stopping = [instance.id for instance in chosen if instance.state == "stopping"]
    if stopping:
        wait(account, "instance_stopped", InstanceIds=stopping)
    account.ec2.start_instances(InstanceIds=[instance.id for instance in chosen])


def _tag(action: Action, work: Work) -> None:
    assert isinstance(action.subject, Instance)
    changed = [{"Key": GROUPS_TAG, "Value": " ".join(action.subject.groups)}]
    work.account.ec2.create_tags(Resources=[action.subject.id], Tags=changed)


def _remove_instance(action: Action, work: Work) -> None:
    assert isinstance(action.subject, Instance)
    work.drain(action.subject)
    work.account.ec2.terminate_instances(InstanceIds=[action.subject.id])
    wait(work.account, "instance_terminated", InstanceIds=[action.subject.id])


def _allocate_address(action: Action, work: Work) -> None:
    name = f"{work.config.name}-{action.name}"
    work.account.ec2.allocate_address(
        Domain="vpc",
        TagSpecifications=[_tagging("elastic-ip", work.config, name, {HOST_TAG: action.name})],
    )


def _attach_address(action: Action, work: Work) -> None:
    """Give a host's address to its instance, which has to run by then."""
    _await_started(work)
    [address, *_] = [one for one in addresses(work.account, work.config.name)
                     if one.host == action.name]  # fmt: skip
    [instance, *_] = [one for one in instances(work.account, work.config.name)
                      if one.host == action.name]  # fmt: skip
    work.account.ec2.associate_address(
        AllocationId=address.id, InstanceId=instance.id, AllowReassociation=True
    )


def _release_address(action: Action, work: Work) -> None:
    assert isinstance(action.subject, Address)
    work.account.ec2.release_address(AllocationId=action.subject.id)


def _create_part(action: Action, work: Work) -> None:
    part = action.subject
    assert isinstance(part, Part)
    group = work.group_ids[set_group(work.config.name, part.service.name)]
    managed.create(work.account, work.config.name, part, group, work.passwords[part.service.name],
                   tags(work.config, part.name))  # fmt: skip


def _start_part(action: Action, work: Work) -> None:
    assert isinstance(action.subject, FoundPart)
    managed.start(work.account, action.subject)


def _remove_part(action: Action, work: Work) -> None:
    assert isinstance(action.subject, FoundPart)
    managed.remove(work.account, action.subject)


_PART_STEPS: Mapping[str, Callable[[Action, Work], None]] = {
    "create": _create_part,
    "start": _start_part,
    "remove": _remove_part,
}
_STEPS: Mapping[tuple[str, str], Callable[[Action, Work], None]] = {
    ("create", "key pair"): _import_key,
    ("create", "security group"): _create_group,
    ("open", "rule"): _open_rule,
    ("close", "rule"): _close_rule,
    ("remove", "security group"): _remove_group,
    ("create", "instance"): _launch,
    ("start", "instance"): _start,
    ("tag", "instance"): _tag,
    ("remove", "instance"): _remove_instance,
    ("create", "Elastic IP"): _allocate_address,
    ("attach", "Elastic IP"): _attach_address,
    ("remove", "Elastic IP"): _release_address,
    **{
        (verb, kind.title): step
        for service in managed.SERVICES
        for kind in service.kinds
        for verb, step in _PART_STEPS.items()
    },
}


def wait_running(account: Account, started: Mapping[str, str]) -> None:
    """Wait until instances (host -> id) run.

    Raises:
        ToolkitError: one of them ended instead; says why, in AWS's words.
    """
    _wait_for(account, "instance_running", started)


def wait_healthy(account: Account, started: Mapping[str, str]) -> None:
    """Wait until both status checks of instances (host -> id) are passed.

    Raises:
        ToolkitError: as wait_running.
    """
    _wait_for(account, "StatusOk", started)


def _wait_for(account: Account, state: str, started: Mapping[str, str]) -> None:
    from botocore.exceptions import WaiterError

    ids = list(started.values())
    more: dict[str, Any] = {"IncludeAllInstances": True} if state == "StatusOk" else {}
    try:
        wait(account, state, InstanceIds=ids, **more)
    except WaiterError:
        hosts = {identifier: host for host, identifier in started.items()}
        for reservation in account.ec2.describe_instances(InstanceIds=ids)["Reservations"]:
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] not in ("pending", "running"):
                    raise _ended(hosts[instance["InstanceId"]], instance) from None
        raise


def _ended(host: str, instance: Mapping[str, Any]) -> ToolkitError:
    reason = instance.get("StateReason", {}).get("Message") or "AWS gives no reason"
    return ToolkitError(
        f"{host} ({instance['InstanceId']}) is {instance['State']['Name']}: {reason}",
        fix="run the same command again; it makes another one",
        exit_code=EXIT_FAILED,
        id="ec2.host_failed",
    )


def wait_unused(account: Account, groups: Iterable[str]) -> None:
    """Wait until no network interface uses security groups (ids) any more."""
    ids = list(groups)
    if ids:
        filters = [{"Name": "group-id", "Values": ids}]
        wait(account, "InterfacesGone", Filters=filters)


def group_ids(found: Found) -> dict[str, str]:
    """Name -> id of the security groups that exist."""
    return {name: group.id for name, group in found.groups.items()}
