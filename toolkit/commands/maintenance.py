"""`toolkit maintenance`: nothing new begins while somebody works on a cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit maintenance -i inventory/prod on
  toolkit maintenance -i inventory/prod off
\b
`on` pauses every DAG: what runs ends, and nothing new begins. `off` lets those go on that were not paused
before, and leaves the others paused. `on` again pauses DAGs that came since.
\b
Exit status: 0; 1 the database does not answer; 2 refused, nothing was changed.
"""
)
@options.inventory
@click.argument("action", type=click.Choice(["on", "off"]))
@click.option("-C", "--check", is_flag=True, help="Change nothing.")
@options.become_password
@options.as_json
def command(
    inventory: Inventory, action: str, check: bool, become_password: str | None, as_json: bool
) -> int:
    """Pause all DAGs, and let those go on that were not paused before."""
    from toolkit.verbs.maintenance import maintenance

    result = maintenance(inventory, options.run(as_json, check, become_password), action)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2))
    elif check:
        return result.exit_code
    elif not result.was_on:
        click.echo("maintenance was not on; nothing was changed")
    elif action == "off":
        click.echo(f"{result.dags} DAGs go on")
    else:
        click.echo(f"paused {result.dags} DAGs; {result.tasks} tasks still run")
        click.echo(f"next: toolkit maintenance -i {inventory} off")
    return result.exit_code
