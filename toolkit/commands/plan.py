"""`toolkit plan`: what provision would build."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_REFUSED

if TYPE_CHECKING:
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit plan -i inventory/prod
  toolkit plan -i inventory/prod --json
  toolkit plan -i inventory/prod --graph prod.svg
\b
Exit status: 0 there is a plan; 2 the inventory is wrong.
"""
)
@options.inventory
@options.become_password
@click.option("--json", "as_json", is_flag=True, help="Print the plan as JSON.")
@click.option("--graph", metavar="FILE", type=click.Path(path_type=Path, dir_okay=False),
              help="Also write a picture of hosts, components and connections (SVG).")  # fmt: skip
def command(
    inventory: Inventory, become_password: str | None, as_json: bool, graph: Path | None
) -> int:
    """Show hosts, components, sizes, memory, connections, packages and time; changes nothing."""
    from toolkit.cluster import Cluster
    from toolkit.findings import errors, findings_text
    from toolkit.hosts import Remote
    from toolkit.hosts.external import external_urls
    from toolkit.hosts.payload import host_and_port
    from toolkit.hosts.probe import collect
    from toolkit.verbs import plan
    from toolkit.verbs.validate import validate

    if graph:
        _refuse_unwritable(graph)
    cluster = Cluster.load(inventory)
    found = validate(cluster)
    if errors(found):
        if as_json:
            listed = [finding.as_json() for finding in found]
            click.echo(json.dumps({"ok": False, "findings": listed}, indent=2))
        else:
            click.echo(findings_text(found))
        return EXIT_REFUSED
    with Remote(cluster, become_password=become_password) as remote:
        probe = collect(cluster, remote)
    external = {
        role: "{}:{}".format(*host_and_port(url)) for role, url in external_urls(cluster).items()
    }
    made = plan.make(cluster, probe, external)
    if graph:
        from toolkit.verbs.plan_graph import svg

        _write(graph, svg(made))
    if as_json:
        click.echo(json.dumps({"ok": True, **made.as_json()}, indent=2))
    else:
        click.echo(plan.text(made))
        click.echo(f"next: toolkit check -i {inventory}", err=True)
    return 0


def _refuse_unwritable(path: Path) -> None:
    """Before any host is asked."""
    from toolkit.errors import ToolkitError

    folder = path.absolute().parent
    if not folder.is_dir():
        raise ToolkitError(
            f"the picture cannot be written: there is no directory {folder}",
            where=str(path),
            fix="name a file in a directory that is there: --graph plan.svg",
        )


def _write(path: Path, text: str) -> None:
    from toolkit.errors import ToolkitError

    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ToolkitError(
            f"the picture cannot be written: {error.strerror}",
            where=str(path),
            fix="name a file in a directory that is there: --graph plan.svg",
        ) from None
    click.echo(f"wrote {path}", err=True)
