"""One round: load, a fault, and what it cost."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from typing import Any

from support.faults.lab import Lab, until
from support.faults.lines import SUM, TASKS, Lines, read
from support.faults.named import Action, Fault

STATUS_AT = (2, 8, 25)
"""Seconds after the fault at which `toolkit health` is asked, and then `toolkit status`."""
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


class _Clock:
    """The steps of a fault, done beside the questions: what takes long (a provision) is asked about while it lasts.

    Attributes:
        since: when the fault began (epoch).
    """

    def __init__(
        self, lab: Lab, result: Result, steps: Sequence[tuple[float, Action]], pool: Executor
    ) -> None:
        self._lab, self._result, self._asks = lab, result, list(STATUS_AT)
        self.since = time.time()
        self._steps = pool.submit(self._do, steps)

    def _do(self, steps: Sequence[tuple[float, Action]]) -> None:
        for at, action in steps:
            time.sleep(max(0.0, self.since + at - time.time()))
            said = action(self._lab)
            self._result.notes += [said] if isinstance(said, str) and said.startswith("`") else []

    def over(self) -> bool:
        """Ask what is due; whether all steps are done. Raises what a step raised."""
        if self._asks and self.since + self._asks[0] <= time.time():
            self._asks.pop(0)
            self._result.health.append(self._lab.health())
            self._result.status.append(self._lab.status()[0])
        return self._steps.done() and self._steps.result() is None

    @property
    def asked(self) -> bool:
        """Whether nothing is left to ask."""
        return not self._asks


def run(lab: Lab, name: str, version: str, fault: Fault) -> Result:
    """Let a fault happen to a cluster."""
    result = Result(name, version, f"{name}-{time.time():.0f}")
    with ThreadPoolExecutor(1) as pool:
        (_at_rest if fault.idle else _under_load)(lab, fault, result, pool)
    result.hand = not until(lambda: lab.status()[0] == 0, 120)
    if not until(lambda: not lab.health(), 120):
        result.notes.append(f"`health` goes on to name {lab.health()}")
    return result


def _at_rest(lab: Lab, fault: Fault, result: Result, pool: Executor) -> None:
    clock = _Clock(lab, result, fault.steps, pool)
    until(lambda: clock.over() and clock.asked, LIMIT, 0.5)
    last = clock.since + fault.steps[-1][0]
    until(lambda: lab.status()[0] == 0, 120)
    result.seconds = time.time() - last
    result.notes.append(f"`verify` exits with {lab.toolkit('verify')}")


def _under_load(lab: Lab, fault: Fault, result: Result, pool: Executor) -> None:
    texts: dict[str, str] = {}

    def lines() -> Lines:
        texts.update(lab.lines(result.run))
        return read(texts)

    lab.trigger(result.run, fault.seconds, fault.slow)
    until(lambda: _at_work(lines(), fault.after, lab.workers[0]), LIMIT, 0.2)
    clock = _Clock(lab, result, fault.steps, pool)
    until(lambda: clock.over() and (lines().total is not None or _over(lab, result)), LIMIT)
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
