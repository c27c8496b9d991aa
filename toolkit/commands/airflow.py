"""`toolkit airflow`: Airflow's own command line, on a scheduler host."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  toolkit airflow -i inventory/prod -- dags list
  toolkit airflow -i inventory/prod -- dags trigger my_dag
\b
Exit status: that of Airflow's command.
""",
)
@options.inventory
@options.become_password
@click.option("--host", help="The host to run it on; by default the first scheduler.")
@click.argument("arguments", nargs=-1, required=True, metavar="-- ARGUMENTS...")
def command(
    inventory: Inventory, become_password: str | None, host: str | None, arguments: tuple[str, ...]
) -> int:
    """Run Airflow's own command line on a scheduler host, with the units' user and environment."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote

    cluster = Cluster.load(inventory)
    candidates = [one for one in cluster.all_hosts if host in (None, one.name)]
    chosen = [one for one in candidates if "scheduler" in one.groups] or (
        candidates if host else []
    )
    if not chosen:
        raise ToolkitError(
            f"{cluster.name} has no " + (f"host {host}" if host else "scheduler host"),
            where=str(cluster.directory),
            fix="use one of: " + ", ".join(one.name for one in cluster.all_hosts),
        )
    with Remote(cluster, become_password=become_password) as remote:
        stdin = None if sys.stdin.isatty() else sys.stdin.buffer
        return remote.run(chosen[0], ["/usr/local/bin/airflow", *arguments], stdin=stdin)
