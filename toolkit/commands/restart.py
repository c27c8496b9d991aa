"""`toolkit restart`: units on all hosts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit restart -i inventory/prod                   all of Airflow
  toolkit restart -i inventory/prod worker --rolling  one host at a time, without a task lost
  toolkit restart -i inventory/prod api-server
\b
--rolling takes the last consumer of a queue with --yes alone: its tasks wait while it ends its own.
A drained worker stays as it is: `toolkit undrain`.
\b
Exit status: 0 they run and answer; 1 a unit does not; 2 refused, nothing was changed; 130 interrupted.
"""
)
@options.inventory
@options.limit
@click.argument("components", nargs=-1, metavar="[COMPONENT]...")
@click.option(
    "--rolling", is_flag=True,
    help="One host at a time: drain its worker, restart, run the canary DAG there, go on.",
)  # fmt: skip
@click.option(
    "--deadline", default="2h", show_default=True, metavar="TIME", callback=options.duration,
    help="With --rolling, how long tasks of a worker may take.",
)  # fmt: skip
@click.option(
    "-y", "--yes", is_flag=True, help="Also the last consumer of a queue, with --rolling."
)
@click.option("-C", "--check", is_flag=True, help="Show what would be done, and change nothing.")
@options.become_password
@options.as_json
def command(
    inventory: Inventory, limit: str | None, components: tuple[str, ...], rolling: bool, deadline: float, yes: bool, check: bool,
    become_password: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Restart components, in the order in which they need each other."""
    from toolkit.verbs.control import Wanted, run

    wanted = Wanted(components, limit, yes=yes, rolling=rolling, deadline=deadline)
    result = run(inventory, options.run(as_json, check, become_password), "restart", wanted)
    options.show(result, "restarted", as_json=as_json, check=check)
    return result.exit_code
