"""What a look at a running cluster comes to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; `detail` says what was found, `fix` what to type."""

    host: str
    component: str
    name: str
    ok: bool
    detail: str
    fix: str = ""
