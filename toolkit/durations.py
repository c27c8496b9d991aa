"""Times as people type and read them: `90s`, `30m`, `2h`, `1d`, `1w`; "2 min"."""

from __future__ import annotations

import re

from toolkit.errors import ToolkitError

_TYPED = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_WRITTEN = ((86400, "d"), (3600, "h"), (60, "min"))


def seconds_of(typed: str) -> float:
    """A time such as 30s, 15m, 4h, 2d or 1w, in seconds.

    Raises:
        ToolkitError: it is none.
    """
    found = re.fullmatch(r"([0-9]{1,6})\s?([smhdw])", typed.strip())
    if not found:
        raise ToolkitError(
            f"{typed!r} is no time", fix="write a number with a unit: 30s, 15m, 4h, 2d or 1w"
        )
    return float(found[1]) * _TYPED[found[2]]


def written(seconds: float) -> str:
    """Seconds in the largest unit of which there are two: 119 s, 2 min, 90 min, 36 h, 2 d."""
    whole = max(0, int(seconds))
    for size, unit in _WRITTEN:
        if whole >= 2 * size:
            return f"{whole // size} {unit}"
    return f"{whole} s"
