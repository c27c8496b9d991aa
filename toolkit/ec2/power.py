"""Stopping a cluster's instances to save money, and starting them again."""

from __future__ import annotations

from toolkit.ec2 import found
from toolkit.ec2.apply import start as start_instances
from toolkit.ec2.apply import wait_running
from toolkit.ec2.found import Instance
from toolkit.ec2.up import Place, Say, make_ready
from toolkit.ec2.waits import wait
from toolkit.errors import ToolkitError


def start(place: Place, say: Say, *, ready: bool) -> tuple[Instance, ...]:
    """Start what is stopped. Public addresses are new ones then; the inventory asks for them.

    Args:
        ready: wait for status checks, SSH and cloud-init as `up` does, and learn host keys anew.

    Raises:
        ToolkitError: there are no instances, or one ended while it was waited for.
    """
    stopped = [one for one in _members(place) if one.state in ("stopped", "stopping")]
    if stopped:
        started = {one.host: one.id for one in stopped}
        say(f"start {', '.join(started)}")
        start_instances(place.account, stopped)
        wait_running(place.account, started)
    members = _members(place)
    if ready:
        make_ready(place, members, {one.host for one in stopped}, say)
    return members


def stop(place: Place, say: Say) -> tuple[Instance, ...]:
    """Stop what runs; volumes and what is on them stay, and go on costing.

    Raises:
        ToolkitError: there are no instances.
    """
    members = _members(place)
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
    return _members(place)


def _members(place: Place) -> tuple[Instance, ...]:
    members = found.instances(place.account, place.config.name)
    if not members:
        raise ToolkitError(
            f"{place.config.name} has no instances in {place.account.region}",
            where=str(place.config.path),
            fix=f"toolkit ec2 up -i {place.config.directory}",
        )
    return members
