"""One round: load, a fault, and what it cost."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from typing import Any

from support.faults.lab import Lab, until
from support.faults.lines import SUM, TASKS, Lines, read
from support.faults.named import Fault

STATUS_AT = (8, 25)
"""Seconds after the fault at which `toolkit status` is asked."""
LIMIT = 900
"""Seconds after which a round is given up."""


@dataclass
class Result:
    """What a fault cost.

    Attributes:
        fault: its name.
        version: of Airflow.
        run: id of the DAG run.
        state: of the DAG run; "" at rest.
        right: whether the sum is, every index has a line, and no try ran beside another.
        seconds: from the first line to the last; at rest, until `status` is green again.
        lost: tries that ended failed.
        twice: tries whose work had been done already.
        pause: the longest time without a task that ended after the fault, in seconds.
        again: seconds until the last task that was cut off ran again; None without any.
        status: what `toolkit status` exited with after STATUS_AT.
        health: the codes that `toolkit health` named then.
        hand: whether somebody had to do something until it was green again.
        notes: what else was seen.
    """

    fault: str
    version: str
    run: str = ""
    state: str = ""
    right: bool = True
    seconds: float = 0.0
    lost: int = 0
    twice: int = 0
    pause: float = 0.0
    again: float | None = None
    status: list[int] = field(default_factory=list)
    health: list[str] = field(default_factory=list)
    hand: bool = False
    notes: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        """Plain data."""
        return asdict(self)


@dataclass
class _Clock:
    """The steps of a fault that are still to come, and when it began (epoch)."""

    lab: Lab
    result: Result
    steps: list[Any]
    asks: list[float] = field(default_factory=lambda: list(STATUS_AT))
    since: float = 0.0

    def begin(self) -> None:
        self.since = time.time()

    def tick(self) -> None:
        """Do what is due."""
        after = time.time() - self.since
        while self.steps and self.steps[0][0] <= after:
            said = self.steps.pop(0)[1](self.lab)
            self.result.notes += [said] if isinstance(said, str) and said.startswith("`") else []
        if self.asks and self.asks[0] <= after:
            self.asks.pop(0)
            self.result.status.append(self.lab.status()[0])
            self.result.health.append(self.lab.health())


def run(lab: Lab, name: str, version: str, fault: Fault) -> Result:
    """Let a fault happen to a cluster."""
    result = Result(name, version, f"{name}-{time.time():.0f}")
    clock = _Clock(lab, result, list(fault.steps))
    (_at_rest if fault.idle else _under_load)(lab, fault, result, clock)
    result.hand = not until(lambda: lab.status()[0] == 0, 120)
    if not until(lambda: not lab.health(), 120):
        result.notes.append(f"`health` goes on to name {lab.health()}")
    return result


def _at_rest(lab: Lab, fault: Fault, result: Result, clock: _Clock) -> None:
    clock.begin()
    while clock.steps or clock.asks:
        clock.tick()
        time.sleep(0.5)
    last = clock.since + fault.steps[-1][0]
    until(lambda: lab.status()[0] == 0, 120)
    result.seconds = time.time() - last
    result.notes.append(f"`verify` exits with {lab.toolkit('verify')}")


def _under_load(lab: Lab, fault: Fault, result: Result, clock: _Clock) -> None:
    texts: dict[str, str] = {}

    def lines() -> Lines:
        texts.update(lab.lines(result.run))
        return read(texts)

    lab.trigger(result.run, fault.seconds, fault.slow)
    until(lambda: _at_work(lines(), fault.after, lab.workers[0]), LIMIT, 0.2)
    clock.begin()

    def ended() -> bool:
        clock.tick()
        return not clock.steps and (lines().total is not None or _over(lab, result))

    until(ended, LIMIT)
    until(lambda: _over(lab, result), 60)
    _count(lab, result, lines(), clock.since)


def _at_work(found: Lines, after: int, host: str) -> bool:
    """Whether so many tasks are done, and a host is in the middle of some; at the beginning neither."""
    busy = any(one.end is None for one in found.tries if one.host == host)
    return not after or (busy and found.done >= after)


def _state(lab: Lab, result: Result) -> str:
    found = lab.query(f"SELECT state FROM dag_run WHERE run_id = '{result.run}'")
    return found[0][0] if found else ""


def _over(lab: Lab, result: Result) -> bool:
    return _state(lab, result) in ("success", "failed")


def _count(lab: Lab, result: Result, found: Lines, since: float) -> None:
    tries = lab.query(f"SELECT try_number FROM task_instance WHERE run_id = '{result.run}' AND task_id = 'work' AND map_index >= 0")  # fmt: skip
    last = max(
        [one.end or one.start for one in found.tries] + ([found.total[1]] if found.total else [])
    )
    result.state = _state(lab, result)
    result.right = found.total is not None and found.total[0] == SUM and found.done == TASKS
    result.seconds = last - found.tries[0].start
    result.lost = sum(max(0, int(row[0]) - 1) for row in tries)
    result.twice, result.pause, result.again = found.twice(), found.pause(since), found.again(since)
    if found.at_once():
        result.right = False
        result.notes.append(f"{found.at_once()} tries ran beside another")
