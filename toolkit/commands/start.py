"""`toolkit start`: units on all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit start -i inventory/prod                     all of Airflow
  toolkit start -i inventory/prod redis scheduler     servers when they are named
  toolkit start -i inventory/prod worker -l w1
\b
A drained worker stays as it is: `toolkit undrain`.
\b
Exit status: 0 they run and answer; 1 a unit does not; 2 refused, nothing was changed; 130 interrupted.
"""
)
@options.inventory
@options.limit
@click.argument("components", nargs=-1, metavar="[COMPONENT]...")
@click.option("-C", "--check", is_flag=True, help="Show what would be done, and change nothing.")
@options.become_password
@options.as_json
def command(
    inventory: Inventory, limit: str | None, components: tuple[str, ...], check: bool,
    become_password: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Start components that do not run, in the order in which they need each other."""
    from toolkit.verbs.control import Wanted, run

    wanted = Wanted(components, limit)
    result = run(inventory, options.run(as_json, check, become_password), "start", wanted)
    options.show(result, "started", as_json=as_json, check=check)
    return result.exit_code
