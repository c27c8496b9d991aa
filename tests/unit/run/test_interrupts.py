"""What a run does with an interrupt."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import pytest

from toolkit.run.interrupts import Interrupts, uninterrupted


def test_an_interrupt_that_a_library_swallows_is_not_lost() -> None:
    interrupts, earlier = Interrupts(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.heard(), suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is earlier


def test_what_cleans_up_is_done_whole_however_often_somebody_interrupts() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interrupts().heard():
        try:
            os.kill(os.getpid(), signal.SIGINT)
        finally:
            with uninterrupted():
                os.kill(os.getpid(), signal.SIGINT)
                done.append("cleaned up")
    assert done == ["cleaned up"]
