"""From ec2.yml to instances that a provision can start on: detect, plan, apply, wait, learn keys."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit import checks as rules
from toolkit.cluster import Cluster, settings
from toolkit.cluster.vaultfile import write_private
from toolkit.errors import ToolkitError
from toolkit.findings import errors
from toolkit.hosts import Remote
from toolkit.providers.ec2 import (
    boot,
    config,
    connect,
    found,
    images,
    inventory,
    keys,
    managed,
    network,
    trust,
    userdata,
)
from toolkit.providers.ec2.account import Account, sign_in
from toolkit.providers.ec2.apply import Work, carry_out, group_ids, wait_healthy
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.firewall import wanted
from toolkit.providers.ec2.form import BASTION
from toolkit.providers.ec2.found import Found, Instance
from toolkit.providers.ec2.launches import Launches
from toolkit.providers.ec2.plan import Plan, Server, key_name, plan

Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """A cluster's ec2.yml and the account that it is about."""

    config: Config
    account: Account
    profile: str | None


@dataclass(frozen=True)
class Prospect:
    """What there is and what has to be done."""

    place: Place
    network: network.Network
    found: Found
    images: Mapping[str, images.Image]
    plan: Plan


def locate(directory: Path, profile: str | None, region: str | None) -> Place:
    """Read ec2.yml and sign in; AWS is not asked yet.

    Raises:
        ToolkitError: ec2.yml is wrong, or the cluster is in another region.
    """
    return _signed_in(config.load(directory), profile, region)


def _signed_in(chosen: Config, profile: str | None, region: str | None) -> Place:
    account = sign_in(profile, region or chosen.region or None)
    inventory.refuse_other_region(chosen, account.region)
    return Place(chosen, account, profile)


def prospect(directory: Path, profile: str | None, region: str | None) -> Prospect:
    """Compare ec2.yml with what the account has; changes nothing.

    Raises:
        ToolkitError: ec2.yml or the cluster's settings are wrong, which is known before any call;
            or the plan is impossible.
    """
    chosen = config.load(directory)
    cluster = chosen.cluster()
    _refuse_problems(chosen, cluster)
    public_key = keys.public_half(chosen)
    userdata.render(chosen)
    place = _signed_in(chosen, profile, region)
    account = place.account
    where = network.resolve(account, chosen)
    there = found.detect(account, chosen.name, key_name(chosen))
    groups = wanted(chosen, cluster, network.access(chosen))
    _refuse_other_vpc(chosen, there, where)
    if chosen.managed:
        managed.refuse_zones(chosen, network.zones(account, where))
    services = managed.in_use(chosen.name, there.groups, chosen.managed)
    there = replace(there, parts=managed.detect(account, chosen.name, services))
    parts = managed.wanted(chosen, cluster, where.subnets)
    todo = plan(chosen, groups, public_key, there, parts)
    new = [
        one.subject.type for one in todo.of("create", "instance") if isinstance(one.subject, Server)
    ]
    return Prospect(place, where, there, images.resolve(account, chosen, new), todo)


def _refuse_problems(chosen: Config, cluster: Cluster) -> None:
    """What `provision` would refuse by the settings alone is known before anything costs money."""
    expected = chosen.cluster(connect.expected(chosen, cluster))
    problems = errors(settings.validate(expected)) or errors(rules.validate_plan(expected))
    if problems:
        raise ToolkitError(problems[0].what, fix=problems[0].fix, id=problems[0].id)


def _refuse_other_vpc(chosen: Config, there: Found, where: network.Network) -> None:
    other = sorted({group.vpc for group in there.groups.values()} - {where.vpc})
    if other:
        raise ToolkitError(
            f"the cluster {chosen.name} is in {other[0]}, ec2.yml means {where.vpc}",
            where=str(chosen.path),
            fix=f"set vpc: {other[0]}; or another name, if that cluster is somebody else's",
            id="ec2.other_place",
        )


def up(
    chosen: Prospect, say: Say, *, drain: bool, wait: bool, lease: Callable[[Cluster], None]
) -> tuple[Instance, ...]:
    """Carry out the plan, wait for the hosts and learn their keys; may be repeated at any point.

    Args:
        drain: let workers that are removed finish their tasks first.
        wait: for status checks, SSH and cloud-init; else only until the instances run.
        lease: called before hosts are worked on, to keep other control machines off them.

    Returns:
        The cluster's instances.
    """
    conf, account = chosen.place.config, chosen.place.account
    cluster = conf.cluster()
    ca = connect.certificate(conf, cluster, connect.CA_BUNDLE)
    work = Work(
        account=account,
        config=conf,
        network=chosen.network,
        images=chosen.images,
        public_key=keys.ensure(conf) if not conf.key_pair else "",
        user_data=userdata.render(conf),
        group_ids=group_ids(chosen.found),
        launches=Launches(conf.directory),
        drain=_drainer(conf, drain, say, lease),
        say=say,
        passwords=connect.passwords(conf, cluster),
    )
    # First, as it says in which region to go on when this is interrupted.
    before = chosen.found.instances
    inventory.write(conf, account.region, chosen.place.profile, _bastion(before))
    carry_out(chosen.plan, work)
    members = found.instances(account, conf.name)
    inventory.write(conf, account.region, chosen.place.profile, _bastion(members))
    work.launches.forget(instance.host for instance in members)
    if conf.managed:
        connect.connect(account, conf, cluster, work.passwords, ca, say)
    if wait:
        make_ready(chosen.place, members, set(work.started), say)
    return members


def _bastion(members: Iterable[Instance]) -> str:
    """The public address of the cluster's bastion; "" while or where it has none."""
    return next((one.public for one in members if one.host == BASTION), "")


def _drainer(
    conf: Config, drain: bool, say: Say, lease: Callable[[Cluster], None]
) -> Callable[[Instance], None]:
    def drained(instance: Instance) -> None:
        if drain and instance.state == "running" and "worker" in instance.groups:
            cluster = Cluster.load(conf.directory)
            lease(cluster)
            boot.drain(cluster, instance.host, say)

    return drained


def make_ready(
    place: Place, members: tuple[Instance, ...], started: Collection[str], say: Say
) -> None:
    """Wait for hosts that were started now, or by an earlier run that did not come this far.

    Args:
        started: names of the hosts.
    """
    conf, account = place.config, place.account
    cluster = Cluster.load(conf.directory)
    hosts = {host.name: host for host in cluster.all_hosts}
    # The bastion is no host of the inventory: only keys and status checks are waited for.
    addresses = {
        hosts[one.host].address if one.host in hosts else one.public: one.id for one in members
    }
    path = conf.directory / "known_hosts"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    known = trust.current(text, addresses)
    new = trust.unknown(known, addresses)
    fresh = set(new.values())
    waited = {one.host: one.id for one in members if one.id in fresh or one.host in started}
    if not waited:
        return
    say(f"waiting for the status checks of {', '.join(waited)}")
    wait_healthy(account, waited)
    for address, instance in new.items():
        lines = trust.from_console(account, address, instance)
        known += "".join(f"{line}\n" for line in lines)
        if lines:
            say(f"{address}: learned its host keys from the console of {instance}")
    write_private(path, known)
    say(f"waiting for SSH and cloud-init on {', '.join(waited)}")
    with Remote(cluster, say=say) as remote:
        boot.wait_ready(remote, [hosts[host] for host in waited if host in hosts], say)
    write_private(path, trust.claimed(path.read_text(encoding="utf-8"), addresses))
