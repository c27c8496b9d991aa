"""What --watch does: the same answer again and again, until Ctrl-C."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import click

from toolkit.errors import EXIT_INTERRUPTED
from toolkit.run.interrupts import Interrupts

_HOME, _REST = "\x1b[H", "\x1b[J"
"""To the upper left corner, and clear what is below (ECMA-48)."""
_LINE = "\x1b[K\n"


def interval_option(command: Callable[..., object]) -> Callable[..., object]:
    """--watch and --interval."""
    command = click.option(
        "--interval", type=click.FloatRange(0.5, 3600), default=5, show_default=True,
        help="With --watch: seconds between two looks.",
    )(command)  # fmt: skip
    return click.option(
        "-w", "--watch", is_flag=True,
        help="Go on until Ctrl-C; off a terminal print only what has changed.",
    )(command)  # fmt: skip


def watched(look: Callable[[], tuple[str, object]], interval: float) -> int:
    """Show what there is to see until Ctrl-C; returns the exit status.

    Args:
        look: what is shown, and what of it counts as a change where there is no terminal.
        interval: seconds between two looks.
    """
    terminal, last = sys.stdout.isatty(), None
    try:
        # A shell's background jobs ignore Ctrl-C unless they ask for it.
        with Interrupts().heard():
            if terminal:
                click.clear()
            while True:
                text, counts = look()
                if terminal:
                    moment = time.strftime("%H:%M:%S")
                    lines = [f"{moment}, every {interval:g} s until Ctrl-C", *text.splitlines()]
                    click.echo(_HOME + _LINE.join(lines) + _LINE + _REST, nl=False, color=True)
                elif counts != last:
                    click.echo(text)
                    sys.stdout.flush()
                last = counts
                time.sleep(interval)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED  # that is how one stops to watch
