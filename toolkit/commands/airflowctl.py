"""`toolkit airflowctl`: Airflow's API client, on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from toolkit.commands import options

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog="""\b
Examples:
  toolkit airflowctl -i inventory/prod -- dags list
  toolkit airflowctl -i inventory/prod -- variables import variables.json
  toolkit airflowctl -i inventory/prod -- --help
\b
Files in arguments are this machine's. It works as the cluster's administrator (airflow_admin_username),
through SSH, with a token for this one call. Airflow 3 only.
\b
Exit status: that of the client.
""",
)
@options.inventory
@options.become_password
@click.argument("arguments", nargs=-1, required=True, metavar="-- ARGUMENTS...")
def command(inventory: Inventory, become_password: str | None, arguments: tuple[str, ...]) -> int:
    """Run Airflow's API client airflowctl on this machine, signed in to the cluster."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote
    from toolkit.hosts.remote import report_on_stderr
    from toolkit.run.interrupts import Interrupts
    from toolkit.verbs.airflowctl import airflowctl

    cluster = Cluster.load(inventory)
    with Interrupts().heard(), Remote(cluster, become_password=become_password) as remote:
        return airflowctl(cluster, remote, arguments, report_on_stderr)
