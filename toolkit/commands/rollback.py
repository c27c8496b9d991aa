"""`toolkit rollback`: back to an earlier release of DAGs."""

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
  toolkit rollback -i inventory/prod               to the release that was current before
  toolkit rollback -i inventory/prod 20261127T2133 to one that `toolkit deploy --list` shows
\b
Runs that have begun go on with the release that they began with (Airflow 3).
\b
Exit status: 0 Airflow shows the DAGs; 1 something failed after the switch; 2 refused, nothing was
changed; 130 interrupted (run it again to continue).
"""
)
@options.inventory
@click.argument("release", required=False, metavar="[ID]")
@click.option(
    "-C", "--check", is_flag=True, help="Import the DAGs as Airflow does, and change nothing."
)
@options.skip
@options.become_password
@options.as_json
def command(
    inventory: Inventory,
    release: str | None,
    check: bool,
    skip: tuple[str, ...],
    become_password: str | None,
    as_json: bool,
) -> int:
    """Make an earlier release of DAGs the current one."""
    from toolkit.commands.deploy import text
    from toolkit.verbs.rollback import rollback

    chosen = options.run(as_json, check, become_password)
    result = rollback(inventory, chosen, release, skip)
    click.echo(
        json.dumps(result.as_json(), indent=2, default=str)
        if as_json
        else text(result, inventory, check)
    )
    return result.exit_code
