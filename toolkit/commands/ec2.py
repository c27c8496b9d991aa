"""`toolkit ec2`: the instances of a cluster."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.commands import options
from toolkit.errors import DeclinedError, ToolkitError

if TYPE_CHECKING:
    from toolkit.providers.ec2.found import Instance
    from toolkit.providers.ec2.service import FoundPart
    from toolkit.providers.ec2.up import Place, Prospect
    from toolkit.run.session import Session


@click.group(
    epilog="""\b
Examples:
  toolkit init inventory/prod --sample ec2      then edit inventory/prod/ec2.yml
  toolkit ec2 plan -i inventory/prod            what would be made; changes nothing
  toolkit ec2 up -i inventory/prod
  toolkit provision -i inventory/prod
  toolkit ec2 down -i inventory/prod
\b
boto3 finds the credentials, as usual. Exit status: 0 done; 1 AWS refused something on the way
(run it again to continue); 2 refused, nothing was changed; 3 declined, nothing was changed.
"""
)
def command() -> None:
    """Make, list, stop, start and remove a cluster's instances in AWS, as its ec2.yml describes them."""


def _common(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every verb has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
        click.option("--region", metavar="NAME", help="A region instead of the one in ec2.yml."),
        click.option("--profile", metavar="NAME", help="A profile of ~/.aws/config."),
        click.option("-i", "--inventory", required=True, help="The directory with ec2.yml.",
                     type=options.DIRECTORY),
    ):  # fmt: skip
        function = option(function)
    return function


@command.command()
@_common
def plan(inventory: Path, profile: str | None, region: str | None, as_json: bool) -> None:
    """Show what `up` would make, change and remove."""
    from toolkit.providers.ec2 import up as work
    from toolkit.providers.ec2.errors import aws_errors

    with aws_errors():
        chosen = work.prospect(inventory, profile, region)
    click.echo(
        json.dumps(_plan_data(chosen), indent=2) if as_json else "\n".join(_plan_lines(chosen))
    )
    if not as_json and chosen.plan.actions:
        click.echo(f"next: toolkit ec2 up -i {inventory}")


@command.command()
@_common
@click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--no-drain", is_flag=True, help="Remove workers without waiting for their tasks.")
@click.option("--no-wait", is_flag=True, help="Do not wait for status checks, SSH and cloud-init.")
def up(
    inventory: Path,
    profile: str | None,
    region: str | None,
    as_json: bool,
    yes: bool,
    no_drain: bool,
    no_wait: bool,
) -> None:
    """Make what ec2.yml describes and does not exist yet.

    Interrupted anywhere, the next `up` continues.
    """
    from toolkit.providers.ec2 import power
    from toolkit.providers.ec2 import up as make

    with _session(inventory, "up", as_json) as work:
        chosen = make.prospect(inventory, profile, region)
        if not as_json:
            click.echo("\n".join(_plan_lines(chosen)), err=True)
        work.record.write("plan.json", _plan_data(chosen))
        _confirm(chosen, yes)
        work.changed = True
        members = make.up(
            chosen,
            work.progress.say,
            drain=not no_drain,
            wait=not no_wait,
            lease=work.take_lease,
        )
        servers = power.servers(chosen.place)
    _print(members, servers, as_json)
    if not as_json:
        click.echo(f"next: toolkit provision -i {inventory}")


@contextmanager
def _session(inventory: Path, verb: str, as_json: bool) -> Iterator[Session]:
    """A run while AWS is worked with; its errors are reported as ours."""
    from toolkit.providers.ec2.errors import aws_errors
    from toolkit.run.session import Options, session

    chosen = Options(options.command_line(), quiet=as_json)
    with session(inventory, f"ec2 {verb}", chosen) as work, aws_errors():
        yield work
        work.exit_code = 0


def _confirm(chosen: Prospect, yes: bool) -> None:
    """Ask a person before money is spent; and before anything is removed, whoever calls."""
    removed = [action.name for action in chosen.plan.of("remove", "instance")]
    if yes or not chosen.plan.actions:
        return
    if options.is_asked():
        if not options.confirm("Go on?", default=not removed):
            raise DeclinedError
    elif removed:
        raise ToolkitError(
            f"{', '.join(removed)} would be removed; nothing was changed",
            fix="run it on a terminal, or give --yes",
        )


@command.command()
@_common
@click.option(
    "--confirm", metavar="NAME", help="The cluster's name, instead of being asked for it."
)
def down(
    inventory: Path, profile: str | None, region: str | None, as_json: bool, confirm: str | None
) -> None:
    """Remove all that `up` made, data included.

    Ends with the proof that nothing is left.
    """
    from toolkit.providers.ec2 import connect, found, power, remove
    from toolkit.providers.ec2 import inventory as hosts
    from toolkit.providers.ec2 import up as make

    with _session(inventory, "down", as_json) as work:
        place = make.locate(inventory, profile, region)
        config, account = place.config, place.account
        snapshot = ""
        if remove.remaining(account, config.name):
            servers = power.servers(place)
            snapshot = remove.snapshot_name(config, servers)
            _confirm_removal(
                place, found.instances(account, config.name), servers, snapshot, confirm
            )
        work.changed = True
        remove.remove(account, config.name, work.progress.say, snapshot)
        connect.disconnect(config, config.cluster())
        hosts.remove(config)
    if as_json:
        kept = [snapshot] if snapshot else []
        click.echo(
            json.dumps(
                {"ok": True, "cluster": config.name, "left": [], "snapshots": kept}, indent=2
            )
        )
    else:
        if snapshot:
            click.echo(f"the snapshot {snapshot} stays, and costs")
        click.echo(f"nothing in {account.region} carries the tag of {config.name} any more")


def _confirm_removal(
    place: Place,
    instances: Iterable[Instance],
    servers: list[FoundPart],
    snapshot: str,
    given: str | None,
) -> None:
    name = place.config.name
    hosts = ", ".join([one.host for one in instances] or ["no instances"])
    hosts += "".join(f", {one.kind.title}" for one in servers)
    if given is None and options.is_asked():
        kept = f", but for a snapshot of the database, {snapshot}" if snapshot else ""
        none = ""
        if any(one.service.name == "rds" for one in servers) and not snapshot:
            none = " There will be no snapshot of the database; final_snapshot: true keeps one."
        click.echo(f"This removes {name} ({hosts}) with all its data{kept}.{none}", err=True)
        given = options.prompt("Type the cluster's name to go on")
    if given != name:
        raise ToolkitError(
            f"the cluster's name is {name}; nothing was removed"
            if given else f"removing {name} ({hosts}) has to be confirmed; nothing was removed",
            fix=f"toolkit ec2 down -i {place.config.directory} --confirm {name}",
        )  # fmt: skip


@command.command("list")
@_common
def list_instances(inventory: Path, profile: str | None, region: str | None, as_json: bool) -> None:
    """List instances, and servers that AWS runs, with state and addresses."""
    from toolkit.providers.ec2 import found, power
    from toolkit.providers.ec2 import up as work
    from toolkit.providers.ec2.errors import aws_errors

    with aws_errors():
        place = work.locate(inventory, profile, region)
        members = found.instances(place.account, place.config.name)
        servers = power.servers(place)
    _print(members, servers, as_json)


@command.command()
@_common
@click.option("--no-wait", is_flag=True, help="Do not wait for status checks, SSH and cloud-init.")
def start(
    inventory: Path, profile: str | None, region: str | None, as_json: bool, no_wait: bool
) -> None:
    """Start the instances that are stopped, and RDS."""
    from toolkit.providers.ec2 import power

    _switch(
        lambda place, members, say: power.start(place, members, say, ready=not no_wait),
        "start", inventory, profile, region, as_json,
    )  # fmt: skip
    if not as_json:
        click.echo(f"next: toolkit provision -i {inventory}")


@command.command()
@_common
def stop(inventory: Path, profile: str | None, region: str | None, as_json: bool) -> None:
    """Stop the instances, and RDS; volumes stay.

    Public addresses are lost. Running tasks are cut off.
    """
    from toolkit.providers.ec2 import power

    _switch(power.stop, "stop", inventory, profile, region, as_json)
    if not as_json:
        click.echo(f"next: toolkit ec2 start -i {inventory}")


def _switch(
    switch: Callable[[Place, Sequence[Instance], Callable[[str], None]], Iterable[Instance]],
    verb: str,
    inventory: Path,
    profile: str | None,
    region: str | None,
    as_json: bool,
) -> None:
    from toolkit.providers.ec2 import power
    from toolkit.providers.ec2.up import locate

    with _session(inventory, verb, as_json) as work:
        place = locate(inventory, profile, region)
        found = power.members_of(place)
        work.changed = True
        members = switch(place, found, work.progress.say)
        servers = power.servers(place)
    _print(members, servers, as_json)


def _print(members: Iterable[Instance], servers: Iterable[FoundPart], as_json: bool) -> None:
    managed = [
        {"service": one.service.name, "name": one.name, "state": one.status,
         "endpoint": _endpoint(one),
         **{key: value for key, value in one.service.facts(one.raw).items() if value is not None}}
        for one in servers
    ]  # fmt: skip
    if as_json:
        rows = [{key: value for key, value in asdict(one).items() if key != "tags"}
                for one in members]  # fmt: skip
        click.echo(json.dumps({"ok": True, "instances": rows, "managed": managed}, indent=2))
        return
    from toolkit.verbs.status import aligned

    heading = ("HOST", "STATE", "TYPE", "ZONE", "PRIVATE", "PUBLIC", "LAUNCHED", "GROUPS", "ID")
    rows_of = [
        (one.host, one.state, one.type, one.zone, one.private or "-", one.public or "-",
         one.launched, ",".join(one.groups), one.id)
        for one in members
    ]  # fmt: skip
    click.echo(aligned([heading, *rows_of]) if rows_of else "no instances")
    if managed:
        titles = ("SERVER", "STATE", "TYPE", "ENDPOINT")
        click.echo(aligned([titles, *(
            (one["service"], one["state"], one["type"], one["endpoint"] or "-") for one in managed
        )]))  # fmt: skip


def _endpoint(server: FoundPart) -> str:
    """host:port of a server; "" while it has none."""
    try:
        return "{}:{}".format(*server.service.endpoint(server.raw))
    except (KeyError, IndexError):  # AWS leaves it out while the server is made
        return ""


def _plan_lines(chosen: Prospect) -> list[str]:
    from toolkit.providers.ec2.plan import billed

    account, config = chosen.place.account, chosen.place.config
    lines = [f"cluster {config.name} in account {account.number}, {account.region}, "
             f"{chosen.network.vpc}"]  # fmt: skip
    lines += [f"  {action}" for action in chosen.plan.actions]
    lines += [] if chosen.plan.actions else ["  nothing to do"]
    lines += [f"note: {note}" for note in chosen.plan.notes]
    costs = billed(config, chosen.plan)
    return lines + ([f"billed from then on: {', '.join(costs)}"] if costs else [])


def _plan_data(chosen: Prospect) -> dict[str, Any]:
    from toolkit.providers.ec2.plan import billed

    actions = [
        {"verb": one.verb, "kind": one.kind, "name": one.name, "detail": one.detail}
        for one in chosen.plan.actions
    ]
    account = chosen.place.account
    return {"ok": True, "cluster": chosen.place.config.name, "account": account.number,
             "region": account.region, "vpc": chosen.network.vpc, "actions": actions,
             "notes": chosen.plan.notes, "billed": billed(chosen.place.config, chosen.plan)}  # fmt: skip
