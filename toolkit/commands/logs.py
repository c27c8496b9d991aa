"""`toolkit logs`: what the units of all hosts say."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.hosts.journal import Line, Wanted


@click.command(
    epilog="""\b
Examples:
  toolkit logs -i inventory/prod                       the newest 100 lines of all units
  toolkit logs -i inventory/prod scheduler worker -f
  toolkit logs -i inventory/prod --since 10m --grep 'error|timeout'
  toolkit logs -i inventory/prod postgres -l db1 -n 500
\b
Exit status: 0; 1 a host could not be asked; 2 no such component; 130 after Ctrl-C.
"""
)
@options.inventory
@options.limit
@click.argument("components", nargs=-1, metavar="[COMPONENT]...")
@options.follow
@options.since
@click.option(
    "--grep", default="", metavar="PATTERN", help="Only lines that match a regular expression."
)
@options.lines
@options.become_password
@options.as_json
def command(
    inventory: Inventory,
    limit: str | None,
    components: tuple[str, ...],
    follow: bool,
    since: str,
    grep: str,
    lines: int,
    become_password: str | None,
    as_json: bool,
) -> int:
    """Show what units say, from all hosts, in the order of time."""
    from toolkit.hosts.journal import Wanted

    wanted = Wanted(follow, since, grep, lines)
    return show(inventory, limit, components, wanted, become_password, as_json)


def show(
    inventory: Inventory,
    limit: str | None,
    components: tuple[str, ...],
    wanted: Wanted,
    become_password: str | None,
    as_json: bool,
) -> int:
    """The same for lines of any kind; returns the exit status."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote
    from toolkit.run.by_host import ByHost
    from toolkit.run.interrupts import Interrupts
    from toolkit.verbs.logs import logs

    cluster = Cluster.load(inventory).limited(limit)
    shown = ByHost((host.name for host in cluster.hosts), " ")

    def write(line: Line) -> None:
        if as_json:
            click.echo(json.dumps(line.as_json()))
        else:
            click.echo(text(line, shown.name(line.host)), color=True)

    try:
        # A shell's background jobs ignore Ctrl-C unless they ask for it.
        with (
            Interrupts().heard(),
            Remote(cluster, become_password=become_password) as remote,
        ):
            problems = logs(cluster, remote, components, wanted, write)
    except KeyboardInterrupt:
        if not wanted.follow:
            raise
        return EXIT_INTERRUPTED  # that is how one stops to follow
    for problem in problems:
        click.echo(str(problem), err=True)
    return EXIT_FAILED if problems else 0


def text(line: Line, name: str) -> str:
    """A line for people; more lines of one entry are below its first."""
    moment = time.strftime("%b %d %H:%M:%S", time.localtime(line.time))
    first, *more = line.text.splitlines() or [""]
    milliseconds = int(line.time * 1000) % 1000
    head = f"{moment}.{milliseconds:03d} {name} {line.unit}:"
    return "\n".join([f"{head} {first}", *(f"{' ' * 4}{one}" for one in more)])
