"""What the lines say that tries of the DAG left (tests/e2e/dags/faults.py): pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

TASKS = 100
SUM = sum(range(TASKS))


@dataclass(frozen=True)
class Try:
    """A try of a task: which index and number, on which host, from when to when (epoch); None without an end."""

    index: int
    number: int
    host: str
    start: float
    end: float | None = None


@dataclass(frozen=True)
class Lines:
    """The lines of all workers.

    Attributes:
        tries: those that left a line, by start.
        total: the sum that the last task saw, and when; None while it has not run.
    """

    tries: tuple[Try, ...]
    total: tuple[int, float] | None

    @property
    def done(self) -> int:
        """How many indices have a try that came to its end."""
        return len({one.index for one in self.tries if one.end is not None})

    def pause(self, since: float) -> float:
        """The longest time without an end of a try, in seconds, after an epoch."""
        ends = [one.end for one in self.tries if one.end is not None]
        last = [self.total[1]] if self.total else []
        times = [since, *sorted(time for time in [*ends, *last] if time > since)]
        return max((later - earlier for earlier, later in pairwise(times)), default=0.0)

    def again(self, since: float) -> float | None:
        """Seconds until the last of the tries that never ended was begun again; None without any."""
        cut = {one.index: one for one in self.tries if one.end is None}
        starts = [
            next((one.start for one in self.tries if one.index == index and one.number > lost.number), None)
            for index, lost in cut.items()
        ]  # fmt: skip
        found = [start - since for start in starts if start is not None]
        return max(found) if found else None

    def twice(self) -> int:
        """How many tries came to their end although another try of the index did so before."""
        return len([one for one in self.tries if one.end is not None]) - self.done

    def at_once(self) -> int:
        """How many tries began while an earlier one of the same index was at work."""
        return len([
            one for one in self.tries for earlier in self.tries
            if earlier.index == one.index and earlier.start < one.start < (earlier.end or 0)
        ])  # fmt: skip


def read(texts: Mapping[str, str]) -> Lines:
    """What the workers' files say, by host."""
    starts: dict[tuple[int, int, str], list[float]] = {}
    ends: dict[tuple[int, int, str], float] = {}
    total = None
    for host, text in texts.items():
        for kind, index, number, time in _words(text):
            key = int(index), int(number), host
            if kind == "T":
                total = int(index), float(time)
            elif kind == "S":
                starts.setdefault(key, []).append(float(time))
            else:
                ends[key] = float(time)
    tries = [
        Try(*key, start, ends.get(key) if start == max(times) else None)
        for key, times in starts.items()
        for start in times
    ]
    return Lines(tuple(sorted(tries, key=lambda one: one.start)), total)


def _words(text: str) -> Iterable[list[str]]:
    return (line.split() for line in text.splitlines() if len(line.split()) == 4)
