"""`toolkit stop`: units on all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit stop -i inventory/prod --yes                all of Airflow
  toolkit stop -i inventory/prod worker -l w1         its tasks end first
  toolkit stop -i inventory/prod triggerer --yes
\b
Units of Airflow start again at the next boot, and with the next provision; a host that is to
stay out of work is drained: `toolkit drain`.
\b
Exit status: 0 they have stopped; 1 a unit does not; 2 refused, nothing was changed; 130 interrupted.
"""
)
@options.inventory
@options.limit
@click.argument("components", nargs=-1, metavar="[COMPONENT]...")
@click.option("-y", "--yes", is_flag=True, help="Even the last one that does something.")
@click.option("-C", "--check", is_flag=True, help="Show what would be done, and change nothing.")
@options.become_password
@options.as_json
def command(
    inventory: Inventory, limit: str | None, components: tuple[str, ...], yes: bool, check: bool,
    become_password: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Stop components, the scheduler first and the web server last."""
    from toolkit.verbs.control import Wanted, run

    wanted = Wanted(components, limit, yes=yes)
    result = run(inventory, options.run(as_json, check, become_password), "stop", wanted)
    options.show(result, "stopped", as_json=as_json, check=check)
    return result.exit_code
