"""Servers that AWS runs: what is wanted, what is there, and the calls that make and remove them.

All parts of a server have one name, and are ours when they carry the cluster's tag. Its security
group is made first and removed last: without one, there is nothing to find.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from toolkit.cluster import Cluster
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.providers.ec2 import elasticache, rds
from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.errors import code_of
from toolkit.providers.ec2.firewall import member_group, set_group
from toolkit.providers.ec2.found import CLUSTER_TAG
from toolkit.providers.ec2.service import FoundPart, Kind, Part, Service, Wish
from toolkit.providers.ec2.waits import wait

SERVICES: tuple[Service, ...] = (rds.SERVICE, elasticache.SERVICE)

_SETTLING = ("creating", "starting", "modifying", "backing-up", "snapshotting")
"""States in which a server is left alone until it is available."""


def in_use(cluster: str, groups: Collection[str], sections: Collection[str]) -> tuple[Service, ...]:
    """The services that a cluster may have something in.

    Args:
        groups: names of its security groups.
        sections: of its ec2.yml.
    """
    return tuple(
        one for one in SERVICES if one.name in sections or set_group(cluster, one.name) in groups
    )


def wanted(config: Config, cluster: Cluster, subnets: tuple[str, ...]) -> tuple[Part, ...]:
    """What the sections of ec2.yml want, in the order in which it is made."""
    name = member_group(config.name)
    return tuple(
        part
        for one in SERVICES
        if one.name in config.managed
        for part in one.parts(Wish(name, config.managed[one.name], cluster, subnets))
    )


def refuse_zones(config: Config, zones: Collection[str]) -> None:
    """Refuse subnets in fewer zones than a server needs.

    Raises:
        ToolkitError: says how many it needs.
    """
    for one in SERVICES:
        section = config.managed.get(one.name)
        if section is not None and len(zones) < (needed := one.zones(section)):
            raise ToolkitError(
                f"{one.name} needs subnets in {needed} zones, and they are all in "
                f"{', '.join(sorted(zones))}",
                where=str(config.path),
                fix="name a subnet of another zone in subnets as well",
                id="ec2.wrong_value",
            )


def detect(account: Account, cluster: str, services: Iterable[Service]) -> tuple[FoundPart, ...]:
    """What carries the cluster's tag in these services, in the order in which it was made."""
    detected = (_find(account, cluster, one, kind) for one in services for kind in one.kinds)
    return tuple(part for part in detected if part)


def _find(account: Account, cluster: str, service: Service, kind: Kind) -> FoundPart | None:
    name = member_group(cluster)
    raw = _describe(account, service, kind, name)
    if raw is None or _owner(account, service, kind, raw, cluster) != cluster:
        return None
    return FoundPart(service, kind, name, raw)


def _describe(
    account: Account, service: Service, kind: Kind, name: str
) -> Mapping[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        describe = getattr(account.client(service.name), f"describe_{kind.operations}s")
        found = describe(**{kind.id: name})[f"{kind.word}s"]
    except ClientError as error:
        if code_of(error).startswith(f"{kind.word}NotFound"):
            return None
        raise
    return next(iter(found), None)


def _owner(
    account: Account, service: Service, kind: Kind, raw: Mapping[str, Any], cluster: str
) -> str:
    """The cluster in its tags. ElastiCache shows none while it works on a group (API reference of
    ListTagsForResource): then the name, and the security group that led here, have to do."""
    tags = raw.get("TagList")
    if tags is None:
        if kind.status and raw.get(kind.status) != "available":
            return cluster
        client = account.client(service.name)
        tags = client.list_tags_for_resource(ResourceName=raw[kind.arn])["TagList"]
    return next((str(tag["Value"]) for tag in tags if tag["Key"] == CLUSTER_TAG), "")


def create(
    account: Account, cluster: str, part: Part, security_group: str, password: str,
    tags: list[dict[str, str]],
) -> None:  # fmt: skip
    """Make a part. A server is not waited for, as that takes minutes; see wait_available.

    Args:
        security_group, password: for the server; its other parts need none.

    Raises:
        ToolkitError: somebody else has one of that name.
    """
    from botocore.exceptions import ClientError

    service, client = part.service, account.client(part.service.name)
    for operation, arguments in part.before.items():
        getattr(client, operation)(**arguments)
    more: dict[str, Any] = {}
    if part.kind is service.server:
        more = {service.password_argument: password, service.groups_argument: [security_group]}
    arguments = {part.kind.id: part.name, **part.arguments, **more, "Tags": tags}
    make = getattr(client, f"create_{part.kind.operations}")
    try:
        make(**arguments)
    except ClientError as error:
        if not code_of(error).startswith(f"{part.kind.word}AlreadyExists"):
            raise
        found = _find(account, cluster, service, part.kind)
        if found is None:
            raise _foreign(part) from None
        if found.status == "deleting":  # by a `down` that was interrupted
            wait_deleted(account, found)
            make(**arguments)


def _foreign(part: Part) -> ToolkitError:
    return ToolkitError(
        f"there is a {part.kind.title} {part.name} that the toolkit did not make",
        fix="give the cluster another name in ec2.yml, or remove that one",
        exit_code=EXIT_FAILED,
        id="ec2.name_taken",
    )


def start(account: Account, found: FoundPart) -> None:
    """Start a stopped server; one that is still stopping is waited for first."""
    wait_stopped(account, found)
    _call(account, "start", found)


def stop(account: Account, found: FoundPart) -> None:
    """Stop a server; it is not waited for."""
    _call(account, "stop", found)


def remove(account: Account, found: FoundPart, final_snapshot: str = "") -> None:
    """Remove a part. A server is not waited for; see wait_deleted.

    Args:
        final_snapshot: its name; "" for none. Of an RDS instance only.
    """
    if found.status == "deleting":
        return
    if found.status in _SETTLING:
        wait_available(account, found.service, found.name)
    more: dict[str, Any] = {}
    if found.kind is rds.SERVICE.server:
        more = {"SkipFinalSnapshot": not final_snapshot, "DeleteAutomatedBackups": True}
        more |= {"FinalDBSnapshotIdentifier": final_snapshot} if final_snapshot else {}
    _call(account, "delete", found, **more)


def _call(account: Account, verb: str, found: FoundPart, **more: Any) -> None:
    operation = getattr(account.client(found.service.name), f"{verb}_{found.kind.operations}")
    operation(**{found.kind.id: found.name}, **more)


def wait_available(account: Account, service: Service, name: str) -> Mapping[str, Any]:
    """Wait until a server is available; how AWS describes it then.

    Raises:
        ToolkitError: it will not be; says in which state it is.
    """
    from botocore.exceptions import WaiterError

    kind = service.server
    try:
        wait(account, service.available, service.name, **{kind.id: name})
    except WaiterError:
        raw = _describe(account, service, kind, name)
        status = raw.get(kind.status) if raw else "gone"
        raise ToolkitError(
            f"{kind.title} {name} is {status}, not available",
            fix=f"aws {service.name} describe-events may say why; then run the same command again",
            exit_code=EXIT_FAILED,
            id="ec2.host_failed",
        ) from None
    raw = _describe(account, service, kind, name)
    assert raw is not None
    return raw


def wait_deleted(account: Account, found: FoundPart) -> None:
    """Wait until a server is gone."""
    wait(account, found.service.deleted, found.service.name, **{found.kind.id: found.name})


def wait_stopped(account: Account, found: FoundPart) -> None:
    """Wait until an RDS instance that is stopping has stopped."""
    wait(account, "DatabaseStopped", found.service.name, **{found.kind.id: found.name})
