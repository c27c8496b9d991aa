"""The command line: which commands there are, and what happens to an error.

A command's module is imported only when that command is called, so `toolkit --help` stays fast.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

import click

from toolkit import __version__
from toolkit.errors import EXIT_INTERRUPTED, ToolkitError
from toolkit.providers import explained

# name -> one-line help. The module toolkit/commands/<name>.py holds a click object `command`.
COMMANDS = {
    "init": "Write an inventory directory for a new cluster.",
    "check": "Find what would stop or harm a provision, before anything changes.",
    "plan": "Show what provision would build: components, sizes, connections, time.",
    "provision": "Turn bare hosts into an Airflow that has just run a DAG.",
    "verify": "Prove that a running cluster works.",
    "status": "Show units, heartbeats, memory and versions of every host.",
    "airflow": "Run Airflow's own command line on a scheduler host.",
    "ec2": "Make, list, stop, start and remove a cluster's instances in AWS.",
    "lab": "Make real systemd hosts with SSH on this machine, to try things on.",
    "lock": "Resolve airflow.lock: every dependency, pinned and hashed.",
    "secrets": "Show the vault's secrets, or recover them from the hosts.",
    "settings": "Show what can be set, with type, default and unit.",
    "runs": "Show the last runs, how long they took and how they ended.",
}


class LazyGroup(click.Group):
    """A group that knows its commands' names and help without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands, in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the module of the one command that is called."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"toolkit.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with: toolkit provision --lab, or toolkit provision USER@HOST",
)
@click.version_option(__version__, prog_name="toolkit")
def root() -> None:
    """Install Apache Airflow on plain hosts, prove that it works, keep it working."""


def _report(error: ToolkitError, as_json: bool) -> None:
    if as_json:
        problem = {
            "id": error.id,
            "what": error.what,
            "where": str(error.where) if error.where else None,
            "fix": error.fix,
        }
        click.echo(json.dumps({"ok": False, "error": problem}, indent=2))
    else:
        click.echo(f"error: {error}", err=True)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script; ends the process with the command's exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    try:
        result: Any = root.main(args=arguments, prog_name="toolkit", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; run the same command again to continue", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        click.echo("interrupted; run the same command again to continue", err=True)
        sys.exit(EXIT_INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except ToolkitError as error:
        _report(explained(error), as_json="--json" in own)
        sys.exit(error.exit_code)
    sys.exit(result if isinstance(result, int) else 0)
