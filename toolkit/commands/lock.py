"""`toolkit lock`: resolve airflow.lock again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.commands import options

MOST_CHANGES_TOLD = 20

EPILOG = """\b
Examples:
  toolkit lock -i inventory/prod
  toolkit lock -i inventory/prod --airflow-version 2.11.2

\b
The lock pins and hashes every dependency, for every supported Python, on x86_64 and
on aarch64. Packages are those of the day after Airflow's release, so that nothing newer
breaks it; a requirement with an exact version (==) may be newer. A cluster with the
default settings does not need this command: its lock comes with the toolkit.
"""


@click.command(epilog=EPILOG)
@click.option(
    "-i",
    "--inventory",
    "directory",
    metavar="DIR",
    required=True,
    type=options.DIRECTORY,
    help="The cluster's inventory directory.",
)
@click.option(
    "--airflow-version", metavar="V", help="Resolve for this version instead of the setting's."
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def command(directory: Path, airflow_version: str | None, as_json: bool) -> None:
    """Resolve airflow.lock: every dependency, pinned and hashed.

    Reads airflow_version, airflow_extras and airflow_requirements of the inventory.
    """
    from toolkit.run.session import Options
    from toolkit.verbs.lock import lock

    result, in_settings = lock(directory, airflow_version, Options(options.command_line()))
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        _print(result)
        _print_next(directory, result["airflow_version"], in_settings)


def _print(result: Mapping[str, Any]) -> None:
    click.echo(
        f"{result['lock']}: Airflow {result['airflow_version']}, {result['packages']} packages "
        f"from {result['source']}, for Python {', '.join(result['pythons'])} "
        f"on {' and '.join(result['machines'])}"
    )
    changed = result["changes"]
    if len(changed) > MOST_CHANGES_TOLD:
        click.echo(f"  {len(changed)} packages changed; --json lists them")
    else:
        for name, change in changed.items():
            click.echo(f"  {name}: {change}")
    if result["built_on_hosts"]:
        click.echo(
            f"no wheel for some of these, so built on the hosts: "
            f"{', '.join(result['built_on_hosts'])}"
        )


def _print_next(directory: Path, version: str, in_settings: str) -> None:
    if version != in_settings:
        click.echo(
            f'next: set airflow_version: "{version}" in {directory}/group_vars/all/airflow.yml '
            f"(it is {in_settings}), then toolkit provision -i {directory}"
        )
    else:
        click.echo(f"next: toolkit provision -i {directory}")
