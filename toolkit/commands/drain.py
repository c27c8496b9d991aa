"""`toolkit drain`: a host out of work, without losing a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit drain -i inventory/prod w1
  toolkit drain -i inventory/prod w1 --deadline 8h
  toolkit undrain -i inventory/prod w1
\b
Its worker consumes nothing more, ends the tasks that it has, and stops; it stays down over reboots and
provisions until `toolkit undrain`.
\b
Exit status: 0 it is drained; 1 tasks still run at the deadline, and it consumes nothing more; 2 refused,
nothing was changed; 130 interrupted (run it again to continue).
"""
)
@options.inventory
@click.argument("host")
@click.option(
    "--deadline", default="2h", show_default=True, metavar="TIME", callback=options.duration,
    help="How long its tasks may take: 90s, 30m, 2h, 1d.",
)  # fmt: skip
@click.option("-C", "--check", is_flag=True, help="Ask the hosts, and change nothing.")
@click.option("-y", "--yes", is_flag=True, help="Even if nobody else consumes its queues.")
@options.become_password
@options.as_json
def command(
    inventory: Inventory, host: str, deadline: float, check: bool, yes: bool,
    become_password: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Take the workers of HOST, a host or a pattern as in Ansible, out of work."""
    from toolkit.verbs.drain import drain

    result = drain(inventory, options.run(as_json, check, become_password), host, deadline, yes=yes)
    options.show(result, "drained: nothing runs any more", as_json=as_json, check=check)
    if not as_json and not check:
        click.echo(f"next: work on it; then: toolkit undrain -i {inventory} {host}")
    return result.exit_code
