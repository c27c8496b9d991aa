"""Options that several commands have, each described once."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit import findings
from toolkit.durations import seconds_of
from toolkit.errors import DeclinedError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.run.session import Options


def _ask_password(_context: click.Context, _option: click.Parameter, asked: bool) -> str | None:
    # Asked for before anything heavy is imported: a person waits here.
    return prompt("become password (sudo's, or root's for su)", hide_input=True) if asked else None


def prompt(question: str, *, hide_input: bool = False) -> str:
    """What a person types.

    Raises:
        DeclinedError: there is nobody to answer.
    """
    with _answering():
        answer: str = click.prompt(question, hide_input=hide_input, err=True)
        return answer


def confirm(question: str, *, default: bool) -> bool:
    """Whether a person agrees; without anybody to answer it is no."""
    with suppress(DeclinedError), _answering():
        return click.confirm(question, default=default, err=True)
    return False


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise DeclinedError from None
        raise


def is_asked() -> bool:
    """Whether a person is there to be asked."""
    return sys.stdin.isatty()


def _known(_context: click.Context, _option: click.Parameter, ids: tuple[str, ...]) -> Any:
    for id in ids:
        findings.explain(id)  # a typo would skip nothing, and nobody would know
    return ids


def _explain(context: click.Context, _option: click.Parameter, id: str | None) -> None:
    if id is None:
        return
    entry = findings.explain(id)
    as_json = context.find_root().obj  # this option is looked at before --json is
    click.echo(json.dumps(asdict(entry), indent=2) if as_json else str(entry))
    context.exit()


def sources(named: tuple[str, ...]) -> Inventory:
    """The inventory that one or more -i name."""
    from toolkit.cluster.inventory import Inventory

    return Inventory.of(*named)


def run(as_json: bool, check: bool, become_password: str | None) -> Options:
    """The options of a run, as the command line has them."""
    from toolkit.run.session import Options

    return Options(command_line(), quiet=as_json, dry=check, become_password=become_password)


def show(result: Any, done: str, *, as_json: bool, check: bool) -> None:
    """What a verb about hosts came to.

    Args:
        result: with exit_code, hosts and seconds.
        done: what was done to them, in one word.
    """
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=2))
    elif not check:
        click.echo(f"{done} on {', '.join(result.hosts)}, in {result.seconds:.0f} s")


def duration(_context: click.Context, _option: click.Parameter, text: str) -> float:
    """Seconds, of a time such as 90s, 30m, 2h or 1d.

    Raises:
        ToolkitError: it is none.
    """
    return seconds_of(text)


def _sources(_context: click.Context, _option: click.Parameter, named: tuple[str, ...]) -> Any:
    return sources(named) if named else None


def _name_vault(variable: str) -> Callable[..., None]:
    """What the option says reaches everything, Ansible too, by its own environment variable."""

    def chosen(_context: click.Context, _option: click.Parameter, given: tuple[str, ...]) -> None:
        before = os.environ.get(variable)
        if given:
            os.environ[variable] = ",".join([*([before] if before else []), *given])

    return chosen


def vaults(command: Any) -> Any:
    """Options that name the vault's passwords, as in Ansible."""
    for option in (
        click.option("--vault-id", multiple=True, metavar="ID@FILE", is_eager=True,
                     expose_value=False, callback=_name_vault("ANSIBLE_VAULT_IDENTITY_LIST"),
                     help="A vault id and the file or program with its password; repeatable."),
        click.option("--vault-password-file", "--vault-pass-file", multiple=True, metavar="FILE",
                     is_eager=True, expose_value=False,
                     callback=_name_vault("ANSIBLE_VAULT_PASSWORD_FILE"),
                     help="The file or program with the vault's password."),
    ):  # fmt: skip
        command = option(command)
    return command


class _Directory(click.Path):
    """A directory; "" is none, as Path("") would be the working directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail("a directory's name is missing", param, ctx)
        return super().convert(value, param, ctx)


DIRECTORY: Any = _Directory(path_type=Path, file_okay=False)
"""The type of an inventory directory."""

_INVENTORY: dict[str, Any] = {"multiple": True, "metavar": "PATH",
              "help": "The cluster's inventory, a directory or a file; repeatable."}  # fmt: skip
_required = click.option("-i", "--inventory", required=True, callback=_sources, **_INVENTORY)
named_sources = click.option("-i", "--inventory", **_INVENTORY)
"""For commands that can do without, or may write it first: the texts behind -i."""


def inventory(command: Any) -> Any:
    """-i, and the options that open its vaults."""
    return _required(vaults(command))


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
follow = click.option("-f", "--follow", is_flag=True, help="Go on with new lines until Ctrl-C.")
since = click.option(
    "--since",
    default="",
    metavar="TIME",
    help="Only newer lines: 10m, 2h, 7d, today, '2026-11-27 21:33'.",
)
lines = click.option(
    "-n",
    "--lines",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    help="How many of the newest.",
)
verbose = click.option("-v", "--verbose", is_flag=True, help="Show every task.")


def command_line() -> str:
    """The command as it was typed, for records and for others who wait."""
    return shlex.join(["toolkit", *sys.argv[1:]])
