"""`toolkit remove`: a host out of its cluster."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import DeclinedError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.verbs.remove import Result


@click.command(
    epilog="""\b
Examples:
  toolkit remove -i inventory/prod w5
  toolkit remove -i inventory/prod w5 --purge    logs, copied DAGs and users too
  toolkit remove -i inventory/prod w5 --gone     the host does not exist any more
\b
The host is drained, its units are stopped and removed, and so are environments, deployed DAGs, configuration
and secrets. Logs and what was copied there stay, unless --purge is said; packages stay. The inventory is yours:
the lines to delete are printed. --purge removes all that is in /opt/airflow, /etc/airflow, /var/lib/airflow and
/var/log/airflow, but for what is mounted there.
\b
Exit status: 0 it is removed; 1 something failed on the way (run it again to continue); 2 refused, nothing was
changed; 3 declined; 130 interrupted.
"""
)
@options.inventory
@click.argument("host")
@click.option("--gone", is_flag=True, help="It does not exist any more: have the others forget it.")
@click.option(
    "--purge", is_flag=True, help="Also remove logs, copied DAGs and users; there is no way back."
)
@click.option(
    "--deadline", default="2h", show_default=True, metavar="TIME", callback=options.duration,
    help="How long its tasks may take.",
)  # fmt: skip
@click.option("-C", "--check", is_flag=True, help="Ask the hosts, and change nothing.")
@options.yes
@options.become_password
@options.as_json
def command(
    inventory: Inventory, host: str, gone: bool, purge: bool, deadline: float, check: bool, yes: bool,
    become_password: str | None, as_json: bool,
) -> int:  # fmt: skip
    """Take HOST out of its cluster, and remove what is ours from it."""
    from toolkit.verbs.remove import Wanted, remove

    if not (yes or check):
        _confirm(host, gone, purge)
    wanted = Wanted(gone, purge, deadline)
    result = remove(inventory, options.run(as_json, check, become_password), host, wanted)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2))
    elif not check:
        click.echo("\n".join(text(result, inventory)))
    return result.exit_code


def _confirm(host: str, gone: bool, purge: bool) -> None:
    what = "forget it" if gone else "remove Airflow, its configuration and secrets there"
    data = ", and its logs, copied DAGs and users, with no way back" if purge else ""
    if not options.confirm(f"{host}: {what}{data}?", default=False):
        raise DeclinedError(f"declined: nothing was changed on {host} (--yes does not ask)")


def text(result: Result, inventory: Inventory) -> list[str]:
    """What it came to, for people."""
    lines = [f"{result.host} is out of the cluster, in {result.seconds:.0f} s"]
    lines += [f"  stays there: {', '.join(result.stays)}"] if result.stays else []
    lines += ["delete from the inventory:"] if result.lines or result.files else []
    lines += [f"  {line}" for line in [*result.lines, *result.files]]
    what = "delete these lines" if result.lines else "take it out of the inventory"
    return [
        *lines,
        f"next: {what}, or the next provision brings it back; then: toolkit provision -i {inventory}",
    ]
