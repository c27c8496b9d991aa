"""A verb is a list of stages, in order. Each says what it does, and what it would do in a dry run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """What a person reads of a part of the work.

    Attributes:
        name: its key in the run's record, for example "check".
        doing: while it lasts, for example "checking the hosts".
        done: when it has ended, for example "hosts checked".
    """

    name: str
    doing: str
    done: str


@dataclass(frozen=True)
class Stage:
    """A part of a verb.

    Attributes:
        step: what a person reads; the work may go on to further steps (Session.step).
        work: does it; its answer is whether the verb goes on.
        dry: what it would do, where a dry run must leave it out; "" for work that a dry run
            does as well, because it changes nothing or knows about dry runs itself.
        changes: whether hosts may be changed from here on.
        at_once: whether an interrupt ends the work at once; False where the work asks for it.
    """

    step: Step
    work: Callable[[], bool]
    dry: str = ""
    changes: bool = False
    at_once: bool = True
