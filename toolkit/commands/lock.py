"""`toolkit lock`: resolve airflow.lock anew."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from toolkit.errors import ToolkitError

MOST_CHANGES_TOLD = 20

Versions = Mapping[str, tuple[str, ...]]

EPILOG = """\b
Examples:
  toolkit lock -i inventory/prod
  toolkit lock -i inventory/prod --airflow-version 2.11.2

\b
The lock pins and hashes every dependency, for every supported Python and for x86_64
and aarch64 alike. Packages are taken as of the day after Airflow's release, so that
nothing newer breaks it; a requirement with an exact version (==) may be newer.
A cluster with the default settings needs no call: its lock comes with the toolkit.
"""


@click.command(epilog=EPILOG)
@click.option(
    "-i",
    "--inventory",
    "directory",
    metavar="DIR",
    required=True,
    type=click.Path(path_type=Path),
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
    from toolkit import lock
    from toolkit.cluster import Cluster
    from toolkit.lock_resolve import resolve
    from toolkit.settings import check, validate

    cluster = Cluster.load(directory)
    problems = validate(cluster)
    if problems:
        raise ToolkitError("\n".join(p.what for p in problems), fix=problems[0].fix)
    for _, what, fix in check("airflow_version", airflow_version) if airflow_version else ():
        raise ToolkitError(what, where="--airflow-version", fix=fix)
    in_settings, extras, requirements = lock.wanted_of(cluster)
    version = airflow_version or in_settings
    path = cluster.directory / lock.LOCK_NAME
    before = lock.pinned(path) if path.exists() else {}
    text = resolve(
        version,
        extras,
        requirements,
        index_url=cluster.setting("python_index_url"),
        say=lambda line: click.echo(line, err=True),
    )
    lock.write(path, text)
    after = lock.pinned(path)
    header = lock.read_header(path)
    result = {
        "lock": str(path),
        "hash": lock.lock_hash(path),
        "airflow_version": header.airflow_version,
        "pythons": header.pythons,
        "machines": header.machines,
        "source": header.source,
        "packages": len(after),
        "built_on_hosts": header.built_on_hosts,
        "changes": changes(before, after) if before else {},
    }
    if as_json:
        click.echo(json.dumps(result, indent=2))
    else:
        _print(result)
        _print_next(directory, version, in_settings)


def changes(before: Versions, after: Versions) -> dict[str, str]:
    """What became of each package that is not as it was: "1.0 -> 1.1", "added", "removed"."""
    told = {name: "removed" for name in before if name not in after}
    for name, versions in after.items():
        if name not in before:
            told[name] = "added"
        elif versions != before[name]:
            told[name] = f"{', '.join(before[name])} -> {', '.join(versions)}"
    return dict(sorted(told.items()))


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
