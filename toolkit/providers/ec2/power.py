"""Stopping what a cluster has in AWS to save money, and starting it again."""

from __future__ import annotations

from collections.abc import Sequence

from toolkit.errors import ToolkitError
from toolkit.providers.ec2 import found, managed
from toolkit.providers.ec2.apply import start as start_instances
from toolkit.providers.ec2.apply import wait_running
from toolkit.providers.ec2.found import Instance
from toolkit.providers.ec2.remove import services_of
from toolkit.providers.ec2.service import FoundPart
from toolkit.providers.ec2.up import Place, Say, make_ready
from toolkit.providers.ec2.waits import wait


def members_of(place: Place) -> tuple[Instance, ...]:
    """The cluster's instances.

    Raises:
        ToolkitError: there are none.
    """
    members = found.instances(place.account, place.config.name)
    if not members:
        raise ToolkitError(
            f"{place.config.name} has no instances in {place.account.region}",
            where=str(place.config.path),
            fix=f"toolkit ec2 up -i {place.config.directory}",
            id="ec2.no_instances",
        )
    return members


def start(
    place: Place, members: Sequence[Instance], say: Say, *, ready: bool
) -> tuple[Instance, ...]:
    """Start what is stopped. Public addresses are new ones then; the inventory asks for them.

    Args:
        members: the cluster's instances, as `members_of` found them.
        ready: wait for status checks, SSH and cloud-init as `up` does, and learn host keys again.

    Raises:
        ToolkitError: one of them ended while it was waited for.
    """
    _start_servers(place, say)
    stopped = [one for one in members if one.state in ("stopped", "stopping")]
    if stopped:
        started = {one.host: one.id for one in stopped}
        say(f"start {', '.join(started)}")
        start_instances(place.account, stopped)
        wait_running(place.account, started)
    members = members_of(place)
    if ready:
        make_ready(place, members, {one.host for one in stopped}, say)
    return members


def stop(place: Place, members: Sequence[Instance], say: Say) -> tuple[Instance, ...]:
    """Stop what runs of the cluster's instances; volumes and what is on them stay, and go on costing."""
    for one in members:
        if one.spot:
            say(f"{one.host} goes on: AWS does not stop spot instances; count: 0 ends them")
    chosen = [one for one in members if not one.spot]
    running = {one.host: one.id for one in chosen if one.state in ("running", "pending")}
    if running:
        say(f"stop {', '.join(running)}")
        place.account.ec2.stop_instances(InstanceIds=list(running.values()))
    # Those that an interrupted `stop` left behind are waited for as well.
    if chosen:
        wait(place.account, "instance_stopped", InstanceIds=[one.id for one in chosen])
    _stop_servers(place, say)
    return members_of(place)


def servers(place: Place) -> list[FoundPart]:
    """The cluster's servers that AWS runs."""
    services = services_of(place.account, place.config.name)
    parts = managed.detect(place.account, place.config.name, services)
    return [one for one in parts if one.kind is one.service.server]


def _start_servers(place: Place, say: Say) -> None:
    for one in servers(place):
        if one.status in ("stopped", "stopping"):
            say(f"start {one.kind.title} {one.name}")
            managed.start(place.account, one)
        managed.wait_available(place.account, one.service, one.name)


def _stop_servers(place: Place, say: Say) -> None:
    for one in servers(place):
        if not one.service.stops:
            say(f"{one.kind.title} {one.name} goes on, and costs: AWS does not stop it")
            continue
        if one.status == "available":
            say(f"stop {one.kind.title} {one.name}; AWS starts it again after seven days")
            managed.stop(place.account, one)
        managed.wait_stopped(place.account, one)
