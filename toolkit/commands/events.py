"""`toolkit events`: who did what to a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit events -i inventory/prod
  toolkit events -i inventory/prod --since 7d --json
  toolkit events -i inventory/prod -f
\b
Each run that may have changed something leaves a line in the journal of every host in play.
\b
Exit status: 0; 1 a host could not be asked.
"""
)
@options.inventory
@options.limit
@options.follow
@options.since
@options.lines
@options.become_password
@options.as_json
def command(
    inventory: Inventory,
    limit: str | None,
    follow: bool,
    since: str,
    lines: int,
    become_password: str | None,
    as_json: bool,
) -> int:
    """Show the audit lines of all hosts, in the order of time."""
    from toolkit.commands.logs import show
    from toolkit.hosts.journal import Wanted

    wanted = Wanted(follow, since, "", lines, audit=True)
    return show(inventory, limit, (), wanted, become_password, as_json)
