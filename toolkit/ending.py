"""How a command ends: errors as text or as JSON, defects recorded, streams that are closed or full."""

from __future__ import annotations

import json
import os
import re
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from toolkit.content import state_dir
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED, DeclinedError, ToolkitError

INTERRUPTED = ToolkitError(
    "interrupted; run the same command again to continue", exit_code=EXIT_INTERRUPTED
)


def report(error: ToolkitError, as_json: bool) -> int:
    """Print an error, as JSON on stdout or as text on stderr; returns its exit status."""
    if as_json:
        problem = {
            "id": error.id,
            "what": error.what,
            "where": str(error.where) if error.where else None,
            "fix": error.fix,
        }
        click.echo(json.dumps({"ok": False, "error": problem}, indent=2))
    else:
        said = error is INTERRUPTED or isinstance(error, DeclinedError)
        click.echo(f"{'' if said else 'error: '}{error}", err=True)
    return error.exit_code


def wrong_usage(error: click.ClickException) -> ToolkitError:
    """What click says of a command line, as one of our errors."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "toolkit"
    missing = isinstance(error, click.exceptions.NoArgsIsHelpError)
    return ToolkitError(
        "a command is missing" if missing else error.format_message(),
        where=command,
        fix=f"{command} --help",
        exit_code=error.exit_code,
    )


def defect(error: BaseException) -> ToolkitError:
    """What nobody foresaw: one sentence, and the traceback in a file that only its owner reads."""
    kind, place = type(error).__name__, _place(error)
    what = f"this is a defect of the toolkit: {kind}{place}"
    try:
        kept = _record("".join(_told(error)))
    except OSError as refused:
        again = f"its traceback cannot be recorded in {state_dir()}: {refused.strerror}"
        return ToolkitError(f"{what}; {again}", fix="report it", exit_code=EXIT_FAILED)
    return ToolkitError(what, fix=f"report it with the file {kept}", exit_code=EXIT_FAILED)


def _place(error: BaseException) -> str:
    """The deepest line of ours in a traceback."""
    own = Path(__file__).parent
    frames = [
        f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(f"{own}/")
    ]
    return f" in {Path(frames[-1].filename).relative_to(own)}:{frames[-1].lineno}" if frames else ""


def _told(error: BaseException | None) -> Iterator[str]:
    """A traceback with its causes; what is quoted in a message may be a secret, and is left out."""
    while error is not None:
        yield from traceback.format_tb(error.__traceback__)
        message = re.sub(r"""(['"]).*\1""", "'********'", str(error), flags=re.DOTALL)
        yield f"{type(error).__name__}: {message}\n"
        error = error.__cause__ or error.__context__


def _record(text: str) -> Path:
    folder = state_dir() / "defects"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}.txt"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return path


def open_closed_streams() -> None:
    """Lead streams that the caller closed to /dev/null.

    The next file that is opened, a vault for example, would get their number, and our output.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDONLY if mode == "r" else os.O_WRONLY)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


def print_anything() -> None:
    """What a stream's encoding lacks is printed as an escape; a file's name can be any bytes."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def quiet_threads() -> None:
    """What is raised in a thread, or while the interpreter ends, is no text for a terminal."""

    def raised(arguments: Any) -> None:
        if arguments.exc_value is not None:
            with suppress(OSError):
                click.echo(f"error: {defect(arguments.exc_value)}", err=True)

    threading.excepthook = raised
    sys.unraisablehook = lambda _: None


def is_lost() -> bool:
    """Whether stdout or stderr takes nothing more: what could not be written is still in its buffer."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except OSError:
        return True
    return False


def give_up(error: OSError) -> int:
    """Say, where possible, that the output cannot be written; returns the exit status.

    Whoever closes a pipe, such as `head`, has seen enough, and is told nothing.
    """
    with suppress(OSError):
        if not isinstance(error, BrokenPipeError):
            click.echo(f"error: the output cannot be written: {error.strerror}", err=True)
    null = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # or the interpreter's own attempt would end in a message
            os.dup2(null, stream.fileno())
    os.close(null)
    return EXIT_FAILED
