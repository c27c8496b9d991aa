"""`toolkit init`: an inventory directory for a new cluster."""

from __future__ import annotations

from pathlib import Path

import click

from toolkit.cluster.hosts_file import parse_group_options
from toolkit.commands import options
from toolkit.verbs import init as inventory


@click.command(
    epilog="""\b
Examples:
  toolkit init inventory/prod --sample single --host all=ubuntu@203.0.113.7
  toolkit init inventory/prod --sample cluster --host metadata_db=ubuntu@10.0.0.10 \\
      --host broker=ubuntu@10.0.0.10 --host scheduler=ubuntu@10.0.0.11 \\
      --host webserver=ubuntu@10.0.0.11 --host worker=ubuntu@10.0.0.12
  toolkit init inventory/old --sample single --set airflow_version=2.11.2
  toolkit init inventory/prod --sample ec2
"""
)
@click.argument("directory", type=options.DIRECTORY)
@click.option("--sample", type=click.Choice(inventory.SAMPLES), default="single", show_default=True,
              help="What to start from.")  # fmt: skip
@click.option("--set", "assignments", multiple=True, metavar="NAME=VALUE",
              help="A setting (see toolkit settings); the value is read as YAML.")  # fmt: skip
@click.option("--host", "hosts", multiple=True, metavar="GROUP=USER@ADDRESS",
              help="A host of a group; `all` means every group of a single host.")  # fmt: skip
def command(
    directory: Path, sample: str, assignments: tuple[str, ...], hosts: tuple[str, ...]
) -> None:
    """Write an inventory directory for a new cluster. An existing one is never overwritten."""
    inventory.create(
        directory,
        sample=sample,
        groups=parse_group_options(hosts),
        settings=inventory.parse_assignments(assignments),
    )
    click.echo(f"wrote {directory}")
    if sample == "ec2":
        click.echo(f"next: look through {directory}/ec2.yml, then")
        click.echo(f"next: toolkit ec2 up -i {directory}")
        return
    if not hosts:
        click.echo(f"next: put your hosts' addresses into {directory}/hosts.yml, then")
    click.echo(f"next: toolkit provision -i {directory}")
