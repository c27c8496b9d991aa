"""Ctrl-C, and SIGTERM likewise: none is ever lost, and what the toolkit started ends with it."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager


class Interrupts:
    """Notes the signals of a run.

    An exception alone may be lost: paramiko swallows what is raised while it closes a channel.
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        """Whether there was an interrupt."""
        return self._asked

    @contextmanager
    def heard(self, *, at_once: bool = True) -> Iterator[None]:
        """While this lasts an interrupt is a KeyboardInterrupt, at once or at the end."""
        self.check()
        handler = self._raise if at_once else self._note
        previous = [signal.signal(number, handler) for number in self._SIGNALS]
        try:
            yield
        finally:
            for number, earlier in zip(self._SIGNALS, previous, strict=True):
                signal.signal(number, earlier)
        self.check()

    def check(self) -> None:
        """Raise KeyboardInterrupt when there was an interrupt."""
        if self._asked:
            raise KeyboardInterrupt

    def _note(self, *_: object) -> None:
        self._asked = True

    def _raise(self, *_: object) -> None:
        self._asked = True
        raise KeyboardInterrupt


def uninterrupted() -> AbstractContextManager[None]:
    """For what puts things in order again: one more Ctrl-C is heard when that is done."""
    return Interrupts().heard(at_once=False)
