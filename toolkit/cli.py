"""The command line: which commands there are, and what happens to an error.

A command's module is imported only when that command is called, so `toolkit --help` stays fast.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

import click

from toolkit import __version__, ending
from toolkit.content import refused_by_system
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.providers import explained

# name -> one-line help. The module toolkit/commands/<name>.py holds a click object `command`.
COMMANDS = {
    "init": "Write an inventory directory for a new cluster.",
    "check": "Find what would stop or harm a provision, before anything changes.",
    "plan": "Show what provision would build: components, sizes, connections, time.",
    "provision": "Turn bare hosts into an Airflow that has just run a DAG.",
    "deploy": "Bring DAGs to every host, import them as Airflow does, and switch to them.",
    "rollback": "Make an earlier release of DAGs the current one.",
    "verify": "Prove that a running cluster works.",
    "health": "Show in one line how a running cluster is, and what is wrong with it.",
    "wait": "Wait until a cluster is healthy, a host drained, or a release deployed.",
    "status": "Show units, heartbeats, memory and versions of every host.",
    "drain": "Take a host out of work without losing a task.",
    "undrain": "Have a drained host work again.",
    "start": "Start components, in the order in which they need each other.",
    "stop": "Stop components, the scheduler first and the web server last.",
    "restart": "Restart components, one host at a time with --rolling.",
    "remove": "Take a host out of its cluster, and remove what is ours from it.",
    "maintenance": "Pause all DAGs, and go on as before.",
    "logs": "Show what units say, from all hosts, in the order of time.",
    "events": "Show who did what to a cluster, from the journals of its hosts.",
    "exec": "Run a command on all hosts at once.",
    "ssh": "Open a shell on a host.",
    "airflow": "Run Airflow's own command line on a scheduler host.",
    "airflowctl": "Run Airflow's API client on this machine, signed in to the cluster.",
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

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; whose pipe was closed is found out in `_run`."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError as error:
            raise _ClosedPipeError from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands from the table above."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


class _ClosedPipeError(Exception):
    """A pipe was closed; click would end the process for each, also for a connection's."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Start with: toolkit provision --lab, or toolkit provision USER@HOST
Exit status: 0 done; 1 something failed on the way; 2 refused, nothing was changed; 3 declined,
nothing was changed; 130 interrupted (run it again to continue).
""",
)
@click.version_option(__version__, prog_name="toolkit")
def root() -> None:
    """Install Apache Airflow on plain hosts, prove that it works, keep it working."""


def _run(arguments: list[str], as_json: bool) -> int:
    """Run a command; whatever comes of it, nobody sees a traceback."""
    try:
        result: Any = root.main(
            args=arguments, prog_name="toolkit", standalone_mode=False, obj=as_json
        )
        return result if isinstance(result, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        return ending.interrupted(as_json)
    except click.ClickException as error:
        if as_json:
            return ending.report(ending.wrong_usage(error), as_json)
        error.show()
        return error.exit_code
    except ToolkitError as error:
        return ending.report(explained(error), as_json)
    except _ClosedPipeError as error:
        raise error.__cause__ or error from None
    except OSError as error:
        if ending.lost() or error.strerror is None:
            raise
        return ending.report(refused_by_system(error), as_json)
    except SystemExit as error:  # a library's last words, such as Ansible's about the locale
        if not isinstance(error.code, str):
            raise
        return ending.report(ToolkitError(error.code, exit_code=EXIT_FAILED), as_json)


def _ended(arguments: list[str]) -> int:
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    as_json = "--json" in own
    try:
        try:
            status = _run(arguments, as_json)
        except Exception as error:
            if ending.lost():
                raise
            status = ending.report(ending.defect(error), as_json)
        sys.stdout.flush()
        return status
    except Exception as error:
        unwritten = ending.lost()
        if unwritten is None:
            raise error
        return ending.give_up(unwritten)


def main(arguments: list[str] | None = None) -> None:
    """Entry point of the console script; ends the process with the command's exit status."""
    if arguments is None:
        arguments = sys.argv[1:]
        ending.open_streams()
        ending.be_quiet()
        ending.speak_utf8()
    sys.exit(_ended(arguments))
