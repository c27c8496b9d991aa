"""Options that several commands have, each described once."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from toolkit import findings


def _ask_password(_context: click.Context, _option: click.Parameter, asked: bool) -> str | None:
    # Asked for before anything heavy is imported: a person waits here.
    return (
        click.prompt("become password (sudo's, or root's for su)", hide_input=True, err=True)
        if asked
        else None
    )


def _known(_context: click.Context, _option: click.Parameter, ids: tuple[str, ...]) -> Any:
    for id in ids:
        findings.explain(id)  # a typo would skip nothing, and nobody would know
    return ids


def _explain(context: click.Context, _option: click.Parameter, id: str | None) -> None:
    if id:
        click.echo(str(findings.explain(id)))
        context.exit()


DIRECTORY: Any = click.Path(path_type=Path, file_okay=False)
"""The type of an inventory directory."""

inventory = click.option(
    "-i", "--inventory", required=True, help="The cluster's inventory directory.", type=DIRECTORY
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
limit = click.option("-l", "--limit", metavar="PATTERN", help="Only these hosts, as in Ansible.")
become_password = click.option(
    "-K",
    "--ask-become-pass",
    "become_password",
    is_flag=True,
    callback=_ask_password,
    help="Ask for the password for becoming root (sudo, su).",
)
yes = click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")
skip = click.option(
    "--skip",
    multiple=True,
    metavar="ID",
    callback=_known,
    help="Leave this finding out; repeatable.",
)
explain = click.option(
    "--explain",
    metavar="ID",
    is_eager=True,
    expose_value=False,
    callback=_explain,
    help="Print what a finding means, and stop.",
)
verbose = click.option("-v", "--verbose", is_flag=True, help="Show every task.")


def command_line() -> str:
    """The command as it was typed, for records and for others who wait."""
    return shlex.join(["toolkit", *sys.argv[1:]])
