"""`toolkit runs`: the last runs."""

from __future__ import annotations

import json
import time

import click

from toolkit.commands import options


@click.command(epilog="\b\nExamples:\n  toolkit runs\n  toolkit runs -i inventory/prod --json\n")
@options.named_sources
@click.option("--last", default=10, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--json", "as_json", is_flag=True, help="Print the records as JSON.")
def command(inventory: tuple[str, ...], last: int, as_json: bool) -> None:
    """Show the last runs: when, cluster, verb, duration, ending, and where the record is."""
    from toolkit.run.record import recorded, unreadable

    chosen = options.sources(inventory).identity if inventory else None
    found = recorded(chosen)[:last]
    for path in unreadable(chosen):
        click.echo(f"this record cannot be read: {path}", err=True)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found:
        click.echo("no runs yet; next: toolkit provision --lab")
    for run in found:
        started = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run["started"]))
        stages = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in run["stages"].items())
        click.echo(
            f"{started}  {run['cluster']}  {run['result']}  {run['seconds']:.0f} s  ({stages})"
        )
        click.echo(f"  {run['command']}\n  {run['directory']}")
