"""What a person sees while a run lasts, on stderr: a bar and a line a host on a terminal, elsewhere
a line when a step has ended.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolkit.run.stages import Step

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

HOST_LINES = 12
"""Hosts that have a line of their own on a terminal; the others are counted."""


class Progress:
    """Progress of one run.

    Args:
        expected: step -> seconds that it is going to take, in their order.
        quiet: show nothing.
        verbose: also show every task.
    """

    def __init__(
        self,
        expected: Mapping[str, float] | None = None,
        *,
        quiet: bool = False,
        verbose: bool = False,
    ) -> None:
        self.begun = time.monotonic()
        self.quiet = quiet
        self.verbose = verbose
        self.live = not quiet and _is_terminal()
        self._expected = dict(expected or {})
        self._ended: dict[str, float] = {}
        self._step: Step | None = None
        self._step_begun = self.begun
        self._hosts: dict[str, str] = {}
        self._console: Console | None = None
        self._most = 0.0

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.begun

    def begin(self, step: Step) -> None:
        """A step has begun."""
        self._step, self._step_begun = step, time.monotonic()
        self._hosts = dict.fromkeys(self._hosts, "")

    def end(self, detail: str = "") -> None:
        """The step has ended well: say so, and how long it took."""
        if self._step is None:
            return
        seconds = time.monotonic() - self._step_begun
        self._ended[self._step.name] = seconds
        self.say(", ".join(part for part in (self._step.done, detail) if part))
        self._step = None

    def reword(self, done: str) -> None:
        """What is said once the step has ended, where less was done than it was there for."""
        if self._step is not None:
            self._step = replace(self._step, done=done)

    def without(self, step: Step) -> None:
        """This run has no such step, so nobody has to wait for it."""
        self._expected.pop(step.name, None)

    def hosts(self, names: Iterable[str]) -> None:
        """The hosts that have a line each."""
        self._hosts = dict.fromkeys(names, "")

    def host(self, name: str, text: str) -> None:
        """What happens on a host now."""
        if self._hosts.get(name, "").partition(", ")[0] != text:  # or a count would be lost
            self._hosts[name] = text

    def count(self, name: str, counted: str) -> None:
        """How far a host is with what happens there."""
        text = self._hosts.get(name, "").partition(", ")[0]
        if text:
            self._hosts[name] = f"{text}, {counted}"

    def now(self, text: str) -> None:
        """What the step is at, where lines can be drawn again."""
        if self._step is not None:
            self._step = replace(self._step, doing=text)

    def task(self, text: str) -> None:
        """One task, for those who want to see each."""
        if self.verbose:
            self.say(text)

    def say(self, text: str) -> None:
        """A line that stays, with the time since the start."""
        if self.quiet:
            return
        line = f"[{self.elapsed():6.1f}s] {text}"
        if self._console is not None:
            self._console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def shown(self) -> Iterator[None]:
        """While this lasts the bar and the hosts' lines are drawn, when stderr is a terminal."""
        if not self.live or self._console is not None:
            yield
            return
        # A tenth of a second, which only a person who watches has to wait for.
        from rich.console import Console
        from rich.live import Live

        self._console = Console(stderr=True)
        try:
            with Live(self, console=self._console, refresh_per_second=4, transient=True):
                yield
        finally:
            self._console = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The bar, and a line a host that has something to say."""
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        if self._step is None:
            return
        done, left = self.estimate()
        cells: list[Any] = [Text(self._step.doing, no_wrap=True, overflow="crop")]
        if done is not None:
            width = max(8, min(30, options.max_width // 3))
            cells = [ProgressBar(100, 100 * done, width=width), Text(f"{100 * done:3.0f} %"),
                     Text(left, no_wrap=True, overflow="crop"), *cells]  # fmt: skip
        grid = Table.grid(padding=(0, 1))
        grid.add_row(*cells)
        yield grid
        busy = [(name, text) for name, text in self._hosts.items() if text]
        widest = max((len(name) for name, _ in busy), default=0)
        for name, text in busy[:HOST_LINES]:
            yield Text(f"  {name:<{widest}}  {text}", no_wrap=True, overflow="crop")
        if len(busy) > HOST_LINES:
            yield Text(f"  and {len(busy) - HOST_LINES} more hosts")

    def estimate(self) -> tuple[float | None, str]:
        """How much is done (0 to 1, never 1 before the end) and how long it will take.

        None where nothing is known of the verb's steps.
        """
        if self._step is None or self._step.name not in self._expected:
            return None, ""
        now = time.monotonic() - self._step_begun
        this = max(0.1, self._expected[self._step.name])
        names = list(self._expected)
        later = names[names.index(self._step.name) + 1 :]
        ahead = sum(self._expected[name] for name in later if name not in self._ended)
        behind = sum(self._expected.get(name, 0.0) for name in self._ended)
        fraction = _fraction(now / this)
        done = (behind + fraction * this) / max(0.1, behind + this + ahead)
        # A step that was longer or shorter than expected never makes the bar go back.
        self._most = max(self._most, min(done, 0.99))
        return self._most, _left(max(0.0, this - now) + ahead)


def _fraction(time_used: float) -> float:
    """How much of a step is done; one that takes longer than expected comes ever closer to all."""
    return time_used * 0.9 if time_used < 1 else 1 - 0.1 * math.exp(1 - time_used)


def _left(seconds: float) -> str:
    if seconds < 5:
        return "a few s left"
    rounded = 5 * round(seconds / 5)
    return f"{rounded} s left" if rounded < 120 else f"{round(seconds / 60)} min left"


def _is_terminal() -> bool:
    """Whether lines can be drawn again on stderr."""
    if not sys.stderr.isatty():
        return False
    from rich.console import Console

    return not Console(stderr=True).is_dumb_terminal
