from __future__ import annotations

import threading

import pytest

from toolkit.beside import beside


def test_an_answer_and_an_error() -> None:
    assert beside(lambda text: text.upper(), "yes").result(5) == "YES"
    with pytest.raises(ValueError, match="invalid literal"):
        beside(int, "no").result(5)


def test_nobody_waits_for_one_that_hangs() -> None:
    """As a block of an executor does, and Python at its end."""
    forever = threading.Event()
    answer = beside(forever.wait)
    assert not answer.done()
    threads = [one for one in threading.enumerate() if one is not threading.main_thread()]
    assert all(one.daemon for one in threads)
    forever.set()
