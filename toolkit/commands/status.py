"""`toolkit status`: how every host's Airflow is, now."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from toolkit.commands import options
from toolkit.commands.watching import interval_option, watched
from toolkit.errors import EXIT_FAILED

if TYPE_CHECKING:
    from toolkit.cluster import Cluster, Inventory
    from toolkit.verbs.status import Status


@click.command(
    epilog="""\b
Examples:
  toolkit status -i inventory/prod
  toolkit status -i inventory/prod --limit worker --json
  toolkit status -i inventory/prod --watch
\b
Exit status: 0 all is well; 1 a unit does not run, a host cannot be reached, or database, broker, a port
or a heartbeat is not well. The worker of a drained host need not run. 130 after Ctrl-C.
"""
)
@options.inventory
@options.limit
@interval_option
@options.become_password
@options.as_json
def command(
    inventory: Inventory,
    limit: str | None,
    watch: bool,
    interval: float,
    become_password: str | None,
    as_json: bool,
) -> int:
    """Show units, heartbeats, memory and versions of every host."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote
    from toolkit.verbs.status import Comparison, status

    cluster = Cluster.load(inventory).limited(limit)
    vault = Comparison(cluster)
    with Remote(cluster, become_password=become_password) as remote:
        if watch:
            return watched(
                lambda: _look(status(cluster, remote, vault), cluster, as_json), interval
            )
        found = status(cluster, remote, vault)
    click.echo(json.dumps(_json(found, cluster), indent=2) if as_json else _text(found))
    if not found.ok and not as_json:
        first = next(iter(found.unwell), None)
        fix = first.fix if first else f"toolkit provision -i {inventory}"
        click.echo(f"next: {fix}", err=True)
    return 0 if found.ok else EXIT_FAILED


def _json(found: Status, cluster: Cluster) -> dict[str, Any]:
    return {
        "ok": found.ok,
        "cluster": cluster.name,
        "releases": found.releases,
        "dag_releases": found.dags,
        "schema": found.schema or None,
        "maintenance": found.maintenance and asdict(found.maintenance),
        "rows": found.rows,
        "findings": [one.as_json() for one in found.findings],
    }


def _text(found: Status) -> str:
    from toolkit.findings import findings_text
    from toolkit.verbs.status import text

    versions = f"release {', '.join(found.releases) or 'none'}, schema {found.schema or 'not read'}"
    versions += f", DAGs {', '.join(found.dags)}" if found.dags else ""
    if found.maintenance:
        since = time.strftime("%Y-%m-%d %H:%M", time.localtime(found.maintenance.since))
        versions += f"\nmaintenance: all DAGs are paused since {since}, by {found.maintenance.by}"
    findings = [findings_text(found.findings)] if found.findings else []
    return "\n".join([text(found.rows), versions, *findings])


def _look(found: Status, cluster: Cluster, as_json: bool) -> tuple[str, object]:
    """What --watch shows, and what of it counts as a change: ages and memory always do change."""
    counts = (
        [(row["host"], row["component"], row["state"], row.get("restarts"), row.get("drained"))
         for row in found.rows],
        [(one.id, one.host) for one in found.findings],
        found.releases, found.dags, bool(found.maintenance),
    )  # fmt: skip
    return json.dumps(_json(found, cluster)) if as_json else _text(found), counts
