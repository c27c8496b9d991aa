"""`toolkit status`: how every host's Airflow is, now."""

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
Examples:
  toolkit status -i inventory/prod
  toolkit status -i inventory/prod --limit worker --json
\b
Exit status: 0 all is well; 1 a unit does not run, a host cannot be reached, or database, broker, a port
or a heartbeat is not well.
"""
)
@options.inventory
@options.limit
@options.become_password
@options.as_json
def command(
    inventory: Inventory, limit: str | None, become_password: str | None, as_json: bool
) -> int:
    """Show units, heartbeats, memory and versions of every host."""
    from toolkit.checks.alive import not_well
    from toolkit.cluster import Cluster
    from toolkit.findings import findings_text
    from toolkit.hosts import Remote
    from toolkit.hosts.state import DatabaseState, states
    from toolkit.verbs.status import Comparison, left, rows, text

    cluster = Cluster.load(inventory).limited(limit)
    with Remote(cluster, become_password=become_password) as remote, Comparison(cluster) as vault:
        found = states(cluster, remote, cluster.hosts)
        unwell = list(not_well(cluster, found))
        findings = unwell + vault.differences(found) + left(cluster, remote, found)
    table = rows(found)
    releases = sorted({state.release for state in found if state.release})
    dags = sorted({state.dags for state in found if state.dags})
    database = next((state.database for state in found if state.database), DatabaseState())
    ok = bool(table) and all(row["state"] == "active" for row in table) and not unwell
    schema = database.schema or database.error or None
    if as_json:
        click.echo(json.dumps({"ok": ok, "cluster": cluster.name, "releases": releases, "dag_releases": dags,
                               "schema": schema, "rows": table,
                               "findings": [one.as_json() for one in findings]}, indent=2))  # fmt: skip
    else:
        click.echo(text(table))
        click.echo(
            f"release {', '.join(releases) or 'none'}, schema {schema or 'not read'}"
            + (f", DAGs {', '.join(dags)}" if dags else "")
        )
        if findings:
            click.echo(findings_text(findings))
        if not ok:
            fix = unwell[0].fix if unwell else f"toolkit provision -i {inventory}"
            click.echo(f"next: {fix}", err=True)
    return 0 if ok else EXIT_FAILED
