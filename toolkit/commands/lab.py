"""`toolkit lab`: hosts to try things on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from toolkit.commands import options
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.providers.lab import LabHost, Saved


@click.group(
    epilog="""\b
Examples:
  toolkit lab up --hosts 4 -i inventory/lab
  toolkit lab list
  toolkit lab save tuesday -i inventory/lab
  toolkit lab down
  toolkit lab up --from tuesday
"""
)
def command() -> None:
    """Make real systemd hosts with SSH on this machine (podman containers), to try things on."""


@command.command()
@click.option("--hosts", default=1, show_default=True, type=click.IntRange(1, 50), help="How many.")
@click.option("--image", default="debian12", show_default=True,
              help="What they boot: debian12, debian13, debian-sid, ubuntu-like, al2023-like.")  # fmt: skip
@click.option("--name", default="lab", show_default=True, help="Name of the lab and its hosts.")
@click.option("--from", "saved", metavar="NAME",
              help="Bring this saved lab back, at its addresses, with its inventory.")  # fmt: skip
@click.option("-i", "--inventory", type=options.DIRECTORY,
              help="Write hosts.yml and known_hosts there; with --from, the saved inventory "
              "(by default where it was).")  # fmt: skip
@click.pass_context
def up(
    context: click.Context,
    hosts: int,
    image: str,
    name: str,
    saved: str | None,
    inventory: Path | None,
) -> None:
    """Make a lab's hosts, or start existing ones."""
    from toolkit.providers import lab

    if saved is None:
        _print_hosts(lab.up(name, hosts, image, inventory, _report))
        if inventory is not None:
            click.echo(f"next: toolkit provision -i {inventory}")
        return
    for option in ("hosts", "image", "name"):
        if context.get_parameter_source(option) is not ParameterSource.DEFAULT:
            raise ToolkitError(f"--{option} does not go together with --from: a saved lab comes back "
                               "as it was", fix=f"toolkit lab up --from {saved}")  # fmt: skip
    ready, directory = lab.restore(saved, inventory, _report)
    _print_hosts(ready)
    click.echo(f"next: toolkit verify -i {inventory or directory}")


def _report(text: str) -> None:
    click.echo(text, err=True)


def _print_hosts(hosts: list[LabHost]) -> None:
    for host in hosts:
        login = f"ssh -i {host.key_file} -p {host.port} {host.user}@{host.address}"
        click.echo(f"{host.name}  {host.state}  {login}")


@command.command()
@click.argument("name")
@click.option("-i", "--inventory", required=True,
              type=click.Path(path_type=Path, exists=True, file_okay=False),
              help="The lab's inventory; it is saved too, with its vault and lock.")  # fmt: skip
def save(name: str, inventory: Path) -> None:
    """Save a provisioned lab, for `lab up --from NAME`.

    Its hosts are stopped meanwhile and run again afterwards. Its addresses are saved too, so one
    lab at a time can come from it.
    """
    from toolkit.providers import lab

    saved = lab.save(name, inventory, _report)
    click.echo(f"saved {len(saved.hosts)} host(s) of lab {saved.lab} as {name}")
    click.echo(f"next: toolkit lab down {saved.lab}, and whenever you need it again: "
               f"toolkit lab up --from {name}")  # fmt: skip


@command.command("list")
@click.option("--saved", "only_saved", is_flag=True, help="Saved labs only.")
@click.option("--json", "as_json", is_flag=True,
              help="Print the hosts as JSON; with --saved, the saved labs.")  # fmt: skip
def list_hosts(only_saved: bool, as_json: bool) -> None:
    """List every lab host of this user, and every saved lab."""
    from toolkit.providers import lab

    found = [] if only_saved else lab.listing()
    saved = lab.saved_labs() if only_saved or not as_json else []
    if as_json:
        click.echo(json.dumps(_as_data([*found, *saved]), indent=2, default=str))
        return
    for host in found:
        click.echo(
            f"{host.lab}  {host.name}  {host.state}  {host.address}:{host.port}  {host.image}"
        )
    for one in saved:
        click.echo(_described(one))
    if not found and not saved:
        click.echo("no saved labs" if only_saved else "no lab hosts; next: toolkit lab up")


def _as_data(entries: Sequence[LabHost | Saved]) -> list[dict[str, Any]]:
    return [asdict(entry) for entry in entries]


def _described(saved: Saved) -> str:
    hosts = ", ".join(host.name for host in saved.hosts)
    return f"saved {saved.name}  {hosts}  {saved.boots}  {saved.made}"


@command.command()
@click.argument("name")
def forget(name: str) -> None:
    """Remove a saved lab for good."""
    from toolkit.providers import lab

    lab.forget(name)
    click.echo(f"removed saved lab {name}")


@command.command()
@click.argument("name", default="lab")
@click.option("--all", "everything", is_flag=True,
              help="Every lab, and hosts whose key is gone.")  # fmt: skip
def down(name: str, everything: bool) -> None:
    """Remove a lab's hosts for good; saved labs stay."""
    from toolkit.providers import lab

    labs = sorted({host.lab for host in lab.listing()}) if everything else [name]
    removed = [host for one in labs for host in lab.down(one)]
    if everything:
        removed += lab.remove_abandoned()
        lab.remove_abandoned_images()
    if not removed and not everything:
        raise ToolkitError(f"there is no lab {name}", fix="toolkit lab list")
    click.echo(f"removed {', '.join(removed)}" if removed else "no lab hosts")
