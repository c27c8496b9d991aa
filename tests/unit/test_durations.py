"""Times as people type and read them."""

from __future__ import annotations

import pytest

from toolkit.durations import seconds_of, written
from toolkit.errors import ToolkitError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0s", 0), ("30s", 30), ("15m", 900), ("4 h", 14400), ("2d", 172800), (" 1w ", 604800)],
)
def test_a_time_that_is_typed(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "4", "h", "-4h", "4x", "1h30m", "٣h", "9999999h"])
def test_no_time(text: str) -> None:
    with pytest.raises(ToolkitError, match="is no time") as caught:
        seconds_of(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 s"), (0.9, "0 s"), (119.9, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"),
     (2 * 86400 - 1, "47 h"), (2 * 86400, "2 d"), (3e6, "34 d")],
)  # fmt: skip
def test_a_time_that_is_read(seconds: float, text: str) -> None:
    assert written(seconds) == text
