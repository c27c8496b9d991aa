"""How a command ends: errors as text or as JSON, defects recorded, streams that are closed or full."""

from __future__ import annotations

import io
import json
import locale
import os
import re
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import click

from toolkit.content import state_dir
from toolkit.errors import EXIT_FAILED, EXIT_INTERRUPTED, DeclinedError, ToolkitError

INTERRUPTED = ToolkitError(
    "interrupted; run the same command again to continue", exit_code=EXIT_INTERRUPTED
)


def interrupted(as_json: bool) -> int:
    """Report an interrupt; whoever interrupts once more has the end that is coming anyway."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return report(INTERRUPTED, as_json)


def report(error: ToolkitError, as_json: bool) -> int:
    """Print an error, as JSON on stdout or as text on stderr; returns its exit status."""
    if as_json:
        problem = {
            "id": error.id,
            "what": error.what,
            "where": str(error.where) if error.where else None,
            "fix": error.fix,
        }
        click.echo(json.dumps({"ok": False, "error": problem}))  # streams are read by line
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
    status = getattr(error, "exit_code", EXIT_FAILED)
    what = f"this is a defect of the toolkit: {kind}{place}"
    try:
        kept = _record("".join(_told(error)))
    except OSError as refused:
        again = f"its traceback cannot be recorded in {state_dir()}: {refused.strerror}"
        return ToolkitError(f"{what}; {again}", fix="report it", exit_code=status)
    return ToolkitError(what, fix=f"report it with the file {kept}", exit_code=status)


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
        message = re.sub(r"""(['"]).*?\1""", "'********'", str(error), flags=re.DOTALL)
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


class _Watched(io.BufferedWriter):
    """A stream's buffer that remembers whether something could not be written.

    Not its file: an interrupt may be raised after any call from Python, and after the file's write,
    before the buffer has noted it, that would have the same line written twice.
    """

    failed: OSError | None = None

    def write(self, content: Any, /) -> int:
        """As BufferedWriter."""
        with self._noted():
            return super().write(content)

    def flush(self) -> None:
        """As BufferedWriter."""
        with self._noted():
            super().flush()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.failed = error
            raise


_WATCHED: list[_Watched] = []
"""Those of stdout and stderr, once a process has them."""


def open_streams() -> None:
    """Lead streams that the caller closed to /dev/null, and watch what becomes of the others.

    The next file that is opened, a vault for example, would get the number of a closed one, and
    with it our output. What an encoding lacks is printed as an escape: a name can be any bytes.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_WRONLY if number else os.O_RDONLY)
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
    sys.stdout, sys.stderr = _watched(1, sys.stdout), _watched(2, sys.stderr)


def _watched(number: int, stream: TextIO | None) -> TextIO:
    watched = _Watched(io.FileIO(number, "w", closefd=False))
    _WATCHED.append(watched)
    at_once = number == 2 or watched.isatty()
    encoding = stream.encoding if stream else "utf-8"
    return io.TextIOWrapper(watched, encoding, "backslashreplace", line_buffering=at_once)


def speak_utf8() -> None:
    """Have the programs that are started have a UTF-8 locale, as Ansible refuses to work without.

    The user's own stays where it is one that this machine has.
    """
    before = locale.setlocale(locale.LC_ALL)
    for name in ("", "C.UTF-8", "en_US.UTF-8"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        if locale.nl_langinfo(locale.CODESET).upper() == "UTF-8":
            os.environ |= {"LC_ALL": name} if name else {}
            break
    # Messages of the system are compared, and are in English here.
    locale.setlocale(locale.LC_ALL, before)


def be_quiet() -> None:
    """What a library warns of, or is raised in a thread or at the very end, is no text for a user."""

    def raised(arguments: Any) -> None:
        if arguments.exc_value is not None:
            with suppress(OSError):
                click.echo(f"error: {defect(arguments.exc_value)}", err=True)

    threading.excepthook = raised
    sys.unraisablehook = lambda _: None
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def lost() -> OSError | None:
    """Why stdout or stderr takes nothing more."""
    return next((watched.failed for watched in _WATCHED if watched.failed), None)


def give_up(error: OSError) -> int:
    """Say, where possible, that the output cannot be written; returns the exit status.

    Whoever closes a pipe, such as `head`, has seen enough, and is told nothing.
    """
    if not isinstance(error, BrokenPipeError):
        with suppress(OSError):
            click.echo(f"error: the output cannot be written: {error.strerror}", err=True)
    null = os.open(os.devnull, os.O_WRONLY)
    for number, watched in enumerate(_WATCHED, start=1):
        if watched.failed:  # what is left in its buffer would fail again while the interpreter ends
            os.dup2(null, number)
    os.close(null)
    return EXIT_FAILED
