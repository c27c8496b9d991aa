"""Questions beside others: in threads that nobody waits for, so that Ctrl-C ends a command at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def beside(ask: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Future[T]:
    """Begin to ask something that changes nothing.

    An executor's threads are waited for when its block is left, by an interrupt too. Whatever changes a host or
    takes a lease belongs there.

    Returns:
        The answer to come, or what `ask` raises.
    """
    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask(*args, **kwargs))
        except BaseException as error:
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return answer
