"""`toolkit logs`: what the units of all hosts say, and a task's log."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED, ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.hosts import HostProblem
    from toolkit.hosts.journal import Line, Wanted
    from toolkit.hosts.task_log import Asked, Entry


@click.command(
    epilog="""\b
Examples:
  toolkit logs -i inventory/prod                       the newest 100 lines of all units
  toolkit logs -i inventory/prod scheduler worker -f
  toolkit logs -i inventory/prod --since 10m --grep 'error|timeout'
  toolkit logs -i inventory/prod postgres -l db1 -n 500
  toolkit logs -i inventory/prod --task shop extract          of the newest run, the newest try
  toolkit logs -i inventory/prod --task shop extract RUN --try 1 --grep error
\b
A task's log comes from Airflow's API, or from the files of the hosts where that cannot give it.
\b
Exit status: 0; 1 a host could not be asked, or nobody has the log; 2 no such component, DAG, task, run
or try; 130 after Ctrl-C.
"""
)
@options.inventory
@options.limit
@click.argument("components", nargs=-1, metavar="[COMPONENT]... | [RUN]")
@click.option(
    "--task", nargs=2, metavar="DAG TASK", help="A task's log, of RUN or the newest run with it."
)
@click.option(
    "--try", "attempt", type=click.IntRange(1), metavar="N", help="Of the task; the newest else."
)
@click.option("--map-index", type=click.IntRange(0), metavar="N", help="Of a mapped task.")
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
    task: tuple[str, str] | None,
    attempt: int | None,
    map_index: int | None,
    follow: bool,
    since: str,
    grep: str,
    lines: int,
    become_password: str | None,
    as_json: bool,
) -> int:
    """Show what units say, from all hosts, in the order of time; or a task's log."""
    from toolkit.hosts.journal import Wanted

    if task:
        refuse_mixed(components, since)
        from toolkit.hosts.task_log import Asked

        dag, name = task
        run = components[0] if components else ""
        asked = Asked(dag, name, run, attempt or 0, map_index, lines, grep, follow)
        return show_task(inventory, limit, asked, become_password, as_json)
    if attempt is not None or map_index is not None:
        raise ToolkitError("--try and --map-index are of a task", fix="add: --task DAG TASK")
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

    problems = []

    def lost(problem: HostProblem) -> None:
        problems.append(problem)
        click.echo(str(problem), err=True)

    try:
        # A shell's background jobs ignore Ctrl-C unless they ask for it.
        with (
            Interrupts().heard(),
            Remote(cluster, become_password=become_password) as remote,
        ):
            logs(cluster, remote, components, wanted, write, lost)
    except KeyboardInterrupt:
        if not wanted.follow:
            raise
        return EXIT_INTERRUPTED  # that is how one stops to follow
    return EXIT_FAILED if problems else 0


def refuse_mixed(runs: tuple[str, ...], since: str) -> None:
    """What does not fit a task's log.

    Raises:
        ToolkitError: there is such a thing.
    """
    if len(runs) > 1:
        raise ToolkitError(
            f"--task takes one run, and here are {len(runs)}: {', '.join(runs)}",
            fix="--task DAG TASK RUN; components are left out with it",
        )
    if since:
        raise ToolkitError(
            "--since is for units: a task's log is of one try, however long ago",
            fix="-n says how many of its newest lines, --grep which",
        )


def show_task(
    inventory: Inventory,
    limit: str | None,
    asked: Asked,
    become_password: str | None,
    as_json: bool,
) -> int:
    """A task's log; returns the exit status."""
    from toolkit.cluster import Cluster
    from toolkit.hosts import Remote
    from toolkit.run.interrupts import Interrupts
    from toolkit.verbs.task_log import task_log

    cluster = Cluster.load(inventory).limited(limit)

    def write(entry: Entry) -> None:
        click.echo(json.dumps(entry.as_json()) if as_json else task_text(entry))

    def note(words: str) -> None:
        click.echo(words, err=True)

    try:
        with Interrupts().heard(), Remote(cluster, become_password=become_password) as remote:
            task_log(cluster, remote, asked, write, note)
    except KeyboardInterrupt:
        if not asked.follow:
            raise
        return EXIT_INTERRUPTED
    return 0


def task_text(entry: Entry) -> str:
    """An entry of a task's log for people."""
    first, *more = entry.text.splitlines() or [""]
    seconds = entry.seconds
    # What has no time goes on with the entry before.
    head = "    " if seconds is None else f"{moment(seconds)} {entry.level.upper():<7} "
    return "\n".join([f"{head}{first}", *(f"{' ' * 4}{one}" for one in more)])


def moment(seconds: float) -> str:
    """A time since the epoch, by this machine's clock."""
    said = time.strftime("%b %d %H:%M:%S", time.localtime(seconds))
    return f"{said}.{int(seconds * 1000) % 1000:03d}"


def text(line: Line, name: str) -> str:
    """A line for people; more lines of one entry are below its first."""
    first, *more = line.text.splitlines() or [""]
    head = f"{moment(line.time)} {name} {line.unit}:"
    return "\n".join([f"{head} {first}", *(f"{' ' * 4}{one}" for one in more)])
