"""`toolkit undrain`: a drained host back to work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit undrain -i inventory/prod w1
  toolkit undrain -i inventory/prod worker       all that are drained
\b
Exit status: 0 it consumes its queues; 1 it does not answer; 2 refused, nothing was changed.
"""
)
@options.inventory
@click.argument("host")
@click.option("-C", "--check", is_flag=True, help="Change nothing.")
@options.become_password
@options.as_json
def command(
    inventory: Inventory, host: str, check: bool, become_password: str | None, as_json: bool
) -> int:
    """Have the workers of HOST, a host or a pattern as in Ansible, consume their queues again."""
    from toolkit.verbs.drain import undrain

    result = undrain(inventory, options.run(as_json, check, become_password), host)
    options.show(result, "at work again", as_json=as_json, check=check)
    return result.exit_code
