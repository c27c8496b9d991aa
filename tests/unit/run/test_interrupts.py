"""What a run does with an interrupt."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress

import pytest

from toolkit.run.interrupts import Interrupts


def test_an_interrupt_that_a_library_swallows_is_not_lost() -> None:
    interrupts, earlier = Interrupts(), signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), interrupts.heard(), suppress(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)
    assert signal.getsignal(signal.SIGINT) is earlier
