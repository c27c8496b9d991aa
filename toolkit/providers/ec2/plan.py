"""What has to be done to get from what is found to what is wanted; pure, no call is made here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from toolkit.errors import ToolkitError
from toolkit.providers.ec2.config import WORLD, Config
from toolkit.providers.ec2.firewall import Rule, SecurityGroup, member_group, set_group
from toolkit.providers.ec2.form import BASTION
from toolkit.providers.ec2.found import Address, Found, FoundGroup, Instance
from toolkit.providers.ec2.images import login_user
from toolkit.providers.ec2.service import FoundPart, Part

Verb = Literal["create", "open", "close", "start", "tag", "attach", "remove"]


@dataclass(frozen=True)
class Server:
    """An instance that is wanted; a bastion has no inventory groups."""

    host: str
    groups: tuple[str, ...]
    type: str
    user: str
    spot: bool
    security_groups: tuple[str, ...]
    address: str


@dataclass(frozen=True)
class Action:
    """One thing to do; `subject` is what it is about, in the form that doing it needs."""

    verb: Verb
    kind: str
    name: str
    detail: str = ""
    subject: (
        Server | Instance | SecurityGroup | FoundGroup | Rule | Address | Part | FoundPart | None
    ) = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"{self.verb} {self.kind} {self.name}" + (f" ({self.detail})" if self.detail else "")


@dataclass(frozen=True)
class Plan:
    """Actions in the order in which they are to be done, and what a person should know besides."""

    actions: tuple[Action, ...]
    notes: tuple[str, ...] = ()

    def of(self, verb: Verb, kind: str) -> list[Action]:
        """The actions of one kind."""
        return [action for action in self.actions if (action.verb, action.kind) == (verb, kind)]


def servers(config: Config) -> tuple[Server, ...]:
    """The instances that ec2.yml wants."""
    user = login_user(config)
    wanted = [
        Server(host, one.groups, one.type, user, one.spot,
               (member_group(config.name), set_group(config.name, one.name)), config.address)
        for one in config.instances
        for host in one.hosts
    ]  # fmt: skip
    if config.bastion:
        gate = (set_group(config.name, BASTION),)
        wanted.insert(0, Server(BASTION, (), config.bastion, user, False, gate, "elastic"))
    return tuple(wanted)


def plan(
    config: Config,
    groups: tuple[SecurityGroup, ...],
    public_key: str | None,
    found: Found,
    parts: tuple[Part, ...] = (),
) -> Plan:
    """Compare what is wanted with what there is.

    Args:
        groups: the security groups that are wanted.
        public_key: of the key to log in with; None while it has to be made.
        parts: of servers that AWS runs.

    Raises:
        ToolkitError: it cannot be had without losing something.
    """
    kept, surplus = _sorted(config, found)
    actions = (
        *_key_pair(config, public_key, found),
        *_groups(groups, found),
        # Servers take longest, and instances come up meanwhile.
        *_parts(config, parts, found),
        *(_removal(config, one) for one in surplus),
        *_instances(config, kept),
        *_addresses(config, kept, found),
        *_left_groups(groups, found),
    )
    notes = (*_notes(config, groups, found, kept), *_part_notes(config, parts, found))
    return Plan(actions, notes)


def key_name(config: Config) -> str:
    """The name of the key pair: the user's, or one of ours."""
    return config.key_pair or f"toolkit-{config.name}"


def _key_pair(config: Config, public_key: str | None, found: Found) -> Iterator[Action]:
    name = key_name(config)
    if config.key_pair:
        if found.key is None:
            raise ToolkitError(
                f"there is no key pair {name} in AWS",
                where=str(config.path),
                fix="correct key_pair, or remove it to import key_file",
                id="ec2.key",
            )
    elif found.key is None:
        yield Action("create", "key pair", name, f"from {config.key_file}.pub")
    elif _words(found.key) != _words(public_key or ""):
        raise ToolkitError(
            f"key pair {name} exists in AWS with another key than {config.key_file}.pub",
            where=str(config.path),
            fix=f"name its private key in key_file; or, if nobody needs it: "
            f"aws ec2 delete-key-pair --key-name {name}",
            id="ec2.key",
        )


def _words(public_key: str) -> list[str]:
    """Type and key, without the comment, which AWS changes."""
    return public_key.split()[:2]


def _groups(groups: Iterable[SecurityGroup], found: Found) -> Iterator[Action]:
    """Groups to make and rules to open and close; groups first, as rules name them."""
    groups = tuple(groups)
    for group in groups:
        if group.name not in found.groups:
            yield Action("create", "security group", group.name, group.description, group)
    for group in groups:
        there = found.groups.get(group.name)
        has = there.rules if there else frozenset()
        for rule in sorted(group.rules - has):
            yield Action("open", "rule", group.name, str(rule), rule)
        for rule in sorted(has - group.rules):
            yield Action("close", "rule", group.name, str(rule), rule)


def _left_groups(groups: Iterable[SecurityGroup], found: Found) -> Iterator[Action]:
    names = {group.name for group in groups}
    for name, group in found.groups.items():
        if name not in names:
            yield Action("remove", "security group", name, subject=group)


def _parts(config: Config, parts: tuple[Part, ...], found: Found) -> Iterator[Action]:
    """Servers that AWS runs, each after what it is made with; a server with data stays."""
    there = {one.kind: one for one in found.parts if one.status != "deleting"}
    for part in parts:
        one = there.pop(part.kind, None)
        if one is None:
            yield Action("create", part.kind.title, part.name, part.detail, part)
        elif one.status in ("stopped", "stopping"):
            yield Action("start", part.kind.title, part.name, subject=one)
        elif "engine" not in config.managed[part.service.name]:
            _refuse_engine(config, part, one)
    for one in reversed(there.values()):
        if one.kind is one.service.server:
            raise ToolkitError(
                f"{one.kind.title} {one.name} exists, and ec2.yml has no {one.service.name} "
                "any more",
                where=str(config.path),
                fix=f"put {one.service.name} back into ec2.yml; toolkit ec2 down removes the "
                "cluster as a whole",
                id="ec2.data_loss",
            )
        yield Action("remove", one.kind.title, one.name, subject=one)


def _refuse_engine(config: Config, part: Part, one: FoundPart) -> None:
    """Refuse an engine that the settings have changed: the URL would not fit the server."""
    if one.raw.get("Engine", "") != part.arguments.get("Engine", ""):
        raise ToolkitError(
            f"{part.kind.title} {part.name} is {one.raw['Engine']}, and metadata_db_engine says "
            f"{part.arguments['Engine']}",
            where=str(config.path),
            fix=f"metadata_db_engine: {one.raw['Engine']}; another server would be an empty one, "
            "so that takes another cluster",
            id="ec2.data_loss",
        )


def _part_notes(config: Config, parts: tuple[Part, ...], found: Found) -> Iterator[str]:
    servers_there = {one.kind: one for one in found.parts}
    for part in parts:
        one = servers_there.get(part.kind)
        if one is None or part.kind is not part.service.server:
            continue
        section = config.managed[part.service.name]
        for key, has in part.service.facts(one.raw).items():
            if has is not None and not _fits(section[key], has):
                yield (f"{part.kind.title} {part.name} has {key} {_yaml(has)}, ec2.yml says "
                       f"{_yaml(section[key])}: a server that exists is not changed")  # fmt: skip


def _fits(said: object, has: object) -> bool:
    """Whether what there is is what was asked for; "" asks for nothing, "17" for 17.4 as well."""
    return said in ("", has) or (isinstance(said, str) and str(has).startswith(f"{said}."))


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _sorted(config: Config, found: Found) -> tuple[dict[str, Instance], list[Instance]]:
    """The instances to keep by host, and those that are one too many."""
    wanted = {server.host for server in servers(config)}
    kept: dict[str, Instance] = {}
    surplus = []
    for instance in found.instances:  # older ones first
        if instance.host in wanted and instance.host not in kept:
            kept[instance.host] = instance
        else:
            surplus.append(instance)
    return kept, surplus


def _removal(config: Config, instance: Instance) -> Action:
    _refuse_loss(config, instance)
    return Action("remove", "instance", instance.host, f"{instance.type}, {instance.id}", instance)


def _refuse_loss(config: Config, instance: Instance) -> None:
    if "metadata_db" in instance.groups:
        raise ToolkitError(
            f"{instance.host} ({instance.id}) holds the metadata database, and ec2.yml no longer "
            "wants it",
            where=str(config.path),
            fix="put it back into ec2.yml; toolkit ec2 down removes the cluster as a whole",
            id="ec2.data_loss",
        )


def _instances(config: Config, kept: dict[str, Instance]) -> Iterator[Action]:
    for server in servers(config):
        instance = kept.get(server.host)
        if instance is None:
            kind = f"spot {server.type}" if server.spot else server.type
            detail = f"{kind}, {config.image}, {config.volume_gb} GB"
            yield Action("create", "instance", server.host, detail, server)
            continue
        if instance.state in ("stopped", "stopping"):
            yield Action("start", "instance", server.host, instance.id, instance)
        if set(instance.groups) != set(server.groups):
            if "metadata_db" not in server.groups:
                _refuse_loss(config, instance)
            detail = f"groups {', '.join(server.groups)}"
            subject = replace(instance, groups=server.groups)
            yield Action("tag", "instance", server.host, detail, subject)


def _addresses(config: Config, kept: dict[str, Instance], found: Found) -> Iterator[Action]:
    """Elastic IPs: each host one, which it gets once its instance runs."""
    there: dict[str, Address] = {}
    wanted = servers(config)
    hosts = {server.host for server in wanted}
    for one in found.addresses:
        if one.host in hosts and one.host not in there:
            there[one.host] = one
        else:
            yield Action("remove", "Elastic IP", one.host, one.ip, one)
    for server in (server for server in wanted if server.address == "elastic"):
        address, instance = there.get(server.host), kept.get(server.host)
        if address is None:
            yield Action("create", "Elastic IP", server.host)
        if address is None or instance is None or address.instance != instance.id:
            yield Action("attach", "Elastic IP", server.host)


def _notes(
    config: Config, groups: Iterable[SecurityGroup], found: Found, kept: dict[str, Instance]
) -> Iterator[str]:
    for server in servers(config):
        if server.host in kept:
            yield from _differences(config, server, kept[server.host], found)
    fixed = {server.host for server in servers(config) if server.address == "elastic"}
    stay = [one.host for one in found.addresses if one.host in kept and one.host not in fixed]
    if stay:
        yield f"the Elastic IP of {', '.join(stay)} stays until the host is removed"
    for group in groups:
        open_ports = sorted({rule.port for rule in group.rules if rule.source in WORLD})
        if open_ports:
            ports = ", ".join(map(str, open_ports))
            yield f"{group.name}: port {ports} is open to the whole internet, as ec2.yml says"
        there = found.groups.get(group.name)
        if there and there.foreign:
            yield f"{group.name} has {there.foreign} rule(s) not made by the toolkit; they stay"


def _differences(config: Config, server: Server, instance: Instance, found: Found) -> Iterator[str]:
    """What ec2.yml says of an instance that exists, and is not."""
    stays = "of an instance that exists is not changed"
    if instance.type != server.type:
        yield f"{server.host} is {instance.type}, ec2.yml says {server.type}: the type {stays}"
    size = found.volumes.get(instance.root_volume)
    if size and size != config.volume_gb:
        yield (f"{server.host} has a root volume of {size} GB, ec2.yml says {config.volume_gb}: "
               f"the volume {stays}")  # fmt: skip
    if server.address == "public" and instance.state == "running" and not instance.public:
        yield (f"{server.host} has no public address: an instance gets one when it is made, or with "
               "address: elastic")  # fmt: skip


def billed(config: Config, plan: Plan) -> list[str]:
    """Number and kind of what costs money from the moment the plan is carried out."""
    new = [action.subject for action in plan.of("create", "instance")]
    types = Counter(
        f"{'spot ' if server.spot else ''}instance {server.type}"
        for server in new
        if isinstance(server, Server)
    )
    started = len(plan.of("start", "instance"))
    lines = [f"{count} x {kind}" for kind, count in sorted(types.items())]
    if new:
        lines.append(f"{len(new)} x gp3 volume of {config.volume_gb} GB")
    if started:
        lines.append(f"{started} x instance that is stopped now")
    elastic = len(plan.of("create", "Elastic IP"))
    if elastic:
        lines.append(f"{elastic} x Elastic IP")
    if config.address == "public" and len(new) + started:
        lines.append(f"{len(new) + started} x public IPv4 address")
    for action in plan.actions:
        if isinstance(action.subject, Part):
            lines += [f"{count} x {kind}" for count, kind in action.subject.billed]
        elif isinstance(action.subject, FoundPart) and action.verb == "start":
            lines.append(f"1 x {action.kind} that is stopped now")
    return lines
