"""`toolkit secrets`: show a secret, list them, recover those of a lost vault."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.verbs.secrets import Recovered


@click.group(
    epilog="""\b
Examples:
  toolkit secrets list -i inventory/prod
  toolkit secrets show airflow_admin_password -i inventory/prod
  toolkit secrets recover -i inventory/prod
"""
)
def command() -> None:
    """Show the vault's secrets, and recover those of a lost vault from the hosts."""


@command.command("list")
@options.inventory
@options.as_json
def list_names(inventory: Inventory, as_json: bool) -> None:
    """List the names of the secrets and the files that they are in; no value is shown."""
    from toolkit.verbs.secrets import names

    found = names(inventory)
    if as_json:
        click.echo(json.dumps({"ok": True, "secrets": found}, indent=2))
        return
    for name, place in found.items():
        click.echo(f"{name}  {place}")
    if not found:
        click.echo(f"none yet; next: toolkit provision -i {inventory}")


@command.command()
@click.argument("name")
@options.inventory
@options.yes
def show(name: str, inventory: Inventory, yes: bool) -> None:
    """Print one secret on the terminal.

    Where standard output is not a terminal, it is printed with --yes only: what is redirected or
    recorded stays.
    """
    from toolkit.verbs.secrets import value

    found = value(inventory, name)
    if not (yes or sys.stdout.isatty()):
        raise ToolkitError(
            "standard output is not a terminal, so the secret would be stored somewhere",
            fix=f"if that is wanted: toolkit secrets show {name} -i {inventory} --yes",
        )
    click.echo(found)


@command.command(
    epilog="""\b
Exit status: 0 recovered; 1 a host could not be asked, or has other secrets than the inventory;
2 nothing was stored.
"""
)
@options.inventory
@options.become_password
@options.as_json
def recover(inventory: Inventory, become_password: str | None, as_json: bool) -> int:
    """Store the secrets that the hosts have and this inventory lacks; no host is changed.

    For a vault, or its password, that was lost: put the inventory's host lists into a new directory,
    recover, then provision. Passwords of users are not on the hosts; provision sets new ones.
    """
    from toolkit.run.session import Options
    from toolkit.verbs.secrets import recover as carry_out

    chosen = Options(options.command_line(), quiet=as_json, become_password=become_password)
    result, status = carry_out(inventory, chosen)
    if as_json:
        click.echo(json.dumps({"ok": status == 0, **asdict(result)}, indent=2))
    else:
        click.echo(_text(result, inventory))
    return status


def _text(result: Recovered, inventory: Inventory) -> str:
    lines = [f"{host}: {problem}" for host, problem in result.problems.items()]
    if result.differing:
        lines += [
            "nothing was stored: the hosts have other values than the inventory for "
            + ", ".join(result.differing),
            f"  fix: remove these from {result.vault} (ansible-vault edit), then recover again; "
            f"or give the hosts the inventory's: toolkit provision -i {inventory}",
        ]
        return "\n".join(lines)
    lines += [f"stored in {result.vault}: {', '.join(result.stored) or 'nothing, all was there'}"]
    if result.missing:
        lines += [f"not on any host, made by the next provision: {', '.join(result.missing)}"]
    return "\n".join([*lines, f"next: toolkit check -i {inventory}"])
