"""`toolkit deploy`: DAGs, from a folder or a git repository to every host."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.verbs.switching import Result

SHOWN = 10
"""So many changed files are named."""


@click.command(
    epilog="""\b
Examples:
  toolkit deploy -i inventory/prod dags/           a folder of DAGs, or a project with dags/ in it
  toolkit deploy -i inventory/prod git@git.example.com:team/dags.git --ref v1.4
  toolkit deploy -i inventory/prod                 from airflow_dags_source of the inventory
  toolkit deploy -i inventory/prod --check         import them as Airflow does, and change nothing
  toolkit deploy -i inventory/prod --list
  toolkit deploy -i inventory/prod --example       a small project that shows data intervals
\b
A release is brought to all hosts, imported on one as Airflow does, and only then switched to. Until
there the DAGs before it go on. `toolkit rollback` goes back.
\b
Exit status: 0 Airflow shows the DAGs, or they were the current ones; 1 something failed after the
switch; 2 refused, the DAGs before go on; 130 interrupted (run it again to continue).
"""
)
@options.inventory
@click.argument("source", required=False, metavar="[SOURCE]")
@click.option("--ref", metavar="REF", help="Branch, tag or commit of a git repository.")
@click.option("--example", is_flag=True, help="Deploy the example that comes with the toolkit.")
@click.option("--list", "lists", is_flag=True, help="List the releases on the hosts, and stop.")
@click.option(
    "--allow-removal", is_flag=True, help="Let DAGs disappear that are not in the release."
)
@click.option("--pytest", "tests", metavar="PATH", default="",
              help="Run the project's own tests there before the switch; PATH is in the project.")  # fmt: skip
@click.option("--restart", is_flag=True,
              help="When plugins differ, restart Airflow after the switch, one host at a time.")  # fmt: skip
@click.option("--max-file-size", "file_mb", type=click.IntRange(1), default=20, show_default=True, metavar="MB",
              help="Refuse larger files.")  # fmt: skip
@click.option("-C", "--check", is_flag=True, help="Do all but the switch, and change nothing.")
@options.skip
@options.explain
@options.become_password
@options.as_json
def command(
    inventory: Inventory,
    source: str | None,
    ref: str | None,
    example: bool,
    lists: bool,
    allow_removal: bool,
    tests: str,
    restart: bool,
    file_mb: int,
    check: bool,
    skip: tuple[str, ...],
    become_password: str | None,
    as_json: bool,
) -> int:
    """Bring DAGs to every host, import them as Airflow does, and switch to them."""
    _refuse_together(source, example, lists)
    if lists:
        return _list(inventory, become_password, as_json)
    from toolkit.cluster.dag_source import without_password
    from toolkit.run.session import Options
    from toolkit.verbs.deploy import Wanted, deploy

    chosen = Options(
        command=without_password(options.command_line()),
        quiet=as_json,
        dry=check,
        become_password=become_password,
    )
    wanted = Wanted(
        source=source,
        ref=ref,
        example=example,
        removal=allow_removal,
        tests=tests,
        restart=restart,
        file_mb=file_mb,
        skip=skip,
    )
    result = deploy(inventory, chosen, wanted)
    click.echo(
        json.dumps(result.as_json(), indent=2, default=str)
        if as_json
        else text(result, inventory, check)
    )
    return result.exit_code


def _refuse_together(source: str | None, example: bool, lists: bool) -> None:
    given = [
        name
        for name, is_given in (("SOURCE", source), ("--example", example), ("--list", lists))
        if is_given
    ]
    if len(given) > 1:
        raise ToolkitError(f"{' and '.join(given)} do not go together", fix="toolkit deploy --help")


def _list(inventory: Inventory, become_password: str | None, as_json: bool) -> int:
    from toolkit.verbs.releases import listed, text

    rows = listed(inventory, become_password, lambda problem: click.echo(str(problem), err=True))
    releases = {"ok": True, "releases": [row.as_json() for row in rows]}
    click.echo(json.dumps(releases, indent=2) if as_json else text(rows))
    return 0


def text(result: Result, inventory: Inventory, check: bool) -> str:
    """What a deploy or rollback came to, for people."""
    from toolkit.checks.common import few
    from toolkit.findings import findings_text

    if result.exit_code:
        former = (
            f"release {result.former} goes on" if result.former else "the DAGs that there are go on"
        )
        return f"{findings_text(result.findings)}\n\nrefused: {former} (record: {result.record})"
    again = (
        [f"  units began with other plugins: toolkit restart -i {inventory} --rolling"]
        if result.restart
        else []
    )
    if result.unchanged:
        what = "all started again" if result.restarted else "nothing to do"
        return "\n".join(
            [
                f"{what}: {result.release} is the current release of {len(result.hosts)} host(s)",
                *again,
            ]
        )
    lines = [
        f"{sign} {path}"
        for sign, paths in (("+", result.added), ("~", result.changed), ("-", result.removed))
        for path in paths
    ]
    shown = [
        *lines[:SHOWN],
        *([f"and {len(lines) - SHOWN} more files"] if len(lines) > SHOWN else []),
    ]
    if check:
        return "\n".join(
            [
                *shown,
                f"it can be deployed: {result.dags} DAGs, {len(lines)} file(s) differ; nothing was changed",
            ]
        )
    changes = f"{len(result.added)} files added, {len(result.changed)} changed, {len(result.removed)} removed"
    gone = [f"  DAGs that are gone: {few(result.removed_dags)}"] if result.removed_dags else []
    before = f" (before: {result.former})" if result.former else ""
    return "\n".join([
        *shown,
        f"Airflow shows release {result.release}{before}: {result.dags} DAGs, {changes}, in {result.seconds:.1f} s",
        *gone,
        *again,
        f"next: toolkit deploy -i {inventory} --list; back: toolkit rollback -i {inventory}",
    ])  # fmt: skip
