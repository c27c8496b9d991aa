"""`toolkit lab`: hosts to try things on."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from toolkit.errors import ToolkitError


@click.group(
    epilog="""\b
Examples:
  toolkit lab up --hosts 4 -i inventory/lab
  toolkit lab list
  toolkit lab down
"""
)
def command() -> None:
    """Real systemd hosts with SSH on this machine (podman containers), to try things on."""


@command.command()
@click.option("--hosts", default=1, show_default=True, type=click.IntRange(1, 50), help="How many.")
@click.option("--image", default="debian12", show_default=True,
              help="What they boot: debian12, debian13, debian-sid, ubuntu-like, al2023-like.")  # fmt: skip
@click.option("--name", default="lab", show_default=True, help="Name of the lab and its hosts.")
@click.option("-i", "--inventory", type=click.Path(path_type=Path, file_okay=False),
              help="Write hosts.yml and known_hosts there.")  # fmt: skip
def up(hosts: int, image: str, name: str, inventory: Path | None) -> None:
    """Make a lab's hosts, or start those that are there; may be repeated."""
    from toolkit.providers import lab

    ready = lab.up(name, hosts, image, inventory, lambda text: click.echo(text, err=True))
    for host in ready:
        key = f"ssh -i {host.key_file} -p {host.port} {host.user}@{host.address}"
        click.echo(f"{host.name}  {host.state}  {key}")
    if inventory is not None:
        click.echo(f"next: toolkit provision -i {inventory}")


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print the hosts as JSON.")
def list_hosts(as_json: bool) -> None:
    """Every lab host of this user."""
    from toolkit.providers import lab

    hosts = lab.listing()
    if as_json:
        click.echo(json.dumps([asdict(host) for host in hosts], indent=2, default=str))
        return
    for host in hosts:
        click.echo(
            f"{host.lab}  {host.name}  {host.state}  {host.address}:{host.port}  {host.image}"
        )
    if not hosts:
        click.echo("no lab hosts; next: toolkit lab up")


@command.command()
@click.argument("name", default="lab")
@click.option("--all", "everything", is_flag=True, help="Every lab, and hosts whose key is gone.")
def down(name: str, everything: bool) -> None:
    """Remove a lab's hosts for good."""
    from toolkit.providers import lab

    labs = sorted({host.lab for host in lab.listing()}) if everything else [name]
    removed = [host for one in labs for host in lab.down(one)]
    if everything:
        removed += lab.remove_abandoned()
    if not removed and not everything:
        raise ToolkitError(f"there is no lab {name}", fix="toolkit lab list")
    click.echo(f"removed {', '.join(removed)}" if removed else "no lab hosts")
