"""`toolkit wait`: for scripts that go on once a cluster is in a certain state."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Conditions:
  healthy      no error counts in `toolkit health`; warnings and what is muted do
               not matter
  drained      the workers of all hosts in play are drained and stopped (--limit)
  deployed=ID  all hosts in play have that release of DAGs
\b
Examples:
  toolkit wait healthy -i inventory/prod
  toolkit wait drained -i inventory/prod --limit w1 --timeout 1h
  toolkit wait deployed=20261128T101500Z-1a2b3c4d -i inventory/prod
\b
Exit status: 0 the condition holds; 1 it does not after the time that was given; 2 there is no such
condition or host, or the inventory cannot be read.
"""
)
@click.argument("condition")
@options.inventory
@options.limit
@click.option("--timeout", default="10m", show_default=True, metavar="TIME",
              callback=options.duration, help="How long at most: 30s, 10m, 2h.")  # fmt: skip
@options.become_password
@options.as_json
def command(
    condition: str,
    inventory: Inventory,
    limit: str | None,
    timeout: float,
    become_password: str | None,
    as_json: bool,
) -> int:
    """Wait until a cluster is healthy, a host drained, or a release of DAGs on every host."""
    from toolkit.durations import written
    from toolkit.run.interrupts import Interrupts
    from toolkit.verbs.health import asking
    from toolkit.verbs.wait import missing_of, wait

    def report(missing: str) -> None:
        click.echo(f"waiting: {missing}", err=True)

    with Interrupts().heard(), asking(inventory, limit, become_password) as health:
        missing = wait(health, missing_of(health.cluster, condition), timeout, report)
    if as_json:
        click.echo(json.dumps({"ok": not missing, "condition": condition, "missing": missing}, indent=2))  # fmt: skip
    elif missing:
        click.echo(f"not {condition} after {written(timeout)}:")
        click.echo("\n".join(f"  {one}" for one in missing))
    else:
        click.echo(condition)
    return EXIT_FAILED if missing else 0
