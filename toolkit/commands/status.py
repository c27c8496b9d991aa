"""`toolkit status`: how every host's Airflow is, now."""

from __future__ import annotations

import json
from pathlib import Path

import click

from toolkit.errors import EXIT_FAILED


@click.command(
    epilog="""\b
Examples:
  toolkit status -i inventory/prod
  toolkit status -i inventory/prod --limit worker --json
\b
Exit status: 0 all units run; 1 one does not, or a host cannot be reached.
"""
)
@click.option("-i", "--inventory", required=True, help="The cluster's inventory directory.",
              type=click.Path(path_type=Path, file_okay=False))  # fmt: skip
@click.option("-l", "--limit", metavar="PATTERN", help="Only these hosts, as in Ansible.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def command(inventory: Path, limit: str | None, as_json: bool) -> int:
    """Units, heartbeats, memory and versions of every host."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote
    from toolkit.hosts.state import states
    from toolkit.verbs.status import rows, text

    cluster = Cluster.load(inventory).limited(limit)
    with Remote(cluster) as remote:
        found = states(cluster, remote, cluster.hosts)
    table = rows(found)
    releases = sorted({str(s.data["release"]) for s in found if s.data.get("release")})
    database: dict[str, str] = next(
        (s.data["database"] for s in found if s.data.get("database")), {}
    )
    ok = all(row["state"] == "active" for row in table)
    schema = database.get("schema") or database.get("error")
    if as_json:
        click.echo(json.dumps({"ok": ok, "cluster": cluster.name, "releases": releases,
                               "schema": schema, "rows": table}, indent=2))  # fmt: skip
    else:
        click.echo(text(table))
        click.echo(f"release {', '.join(releases) or 'none'}, schema {schema or 'not read'}")
        if not ok:
            click.echo(f"next: toolkit provision -i {inventory}", err=True)
    return 0 if ok else EXIT_FAILED
