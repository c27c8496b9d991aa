"""What findings come to: one word, lines, and what is muted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from toolkit.checks.report import Report, report
from toolkit.findings import Finding, Severity
from toolkit.hosts.mutes import Mute


def disk(host: str, severity: Severity = Severity.WARNING) -> Finding:
    return Finding.of("health.disk", host=host, what=f"/{host} is full", fix="f", severity=severity)


STOPPED = Finding.of("running.unit", host="w1", what="worker is down", fix="f")
MUTE = Mute("health.disk", "ann@laptop", 100.0, count=1, severity="warning")


def made(*found: Finding, mute: Mute | None = None, whole: bool = True) -> Report:
    return report(found, [mute] if mute else [], 1000.0, whole=whole)


@pytest.mark.parametrize(
    ("found", "mute", "headline", "status"),
    [
        ((), None, "HEALTH_OK", 0),
        ((disk("a"), disk("b")), None, "HEALTH_WARN 2", 1),
        ((disk("a"), STOPPED), None, "HEALTH_ERR 2", 2),
        ((disk("a"), STOPPED), MUTE, "HEALTH_ERR 1 (1 muted)", 2),
        ((disk("a"),), MUTE, "HEALTH_OK (1 muted)", 0),
        ((replace(disk("a"), severity=Severity.NOTE),), None, "HEALTH_OK", 0),
    ],
)
def test_the_first_line_and_the_exit_status(
    found: tuple[Finding, ...], mute: Mute | None, headline: str, status: int
) -> None:
    one = made(*found, mute=mute)
    assert (one.headline, one.status) == (headline, status)


def test_findings_of_one_kind_on_a_host_are_one_line_and_errors_come_first() -> None:
    found = made(disk("a"), disk("b"), replace(disk("a"), what="/home is full"), STOPPED)
    assert [(line.code, line.host, line.what) for line in found.lines] == [
        ("running.unit", "w1", "worker is down"),
        ("health.disk", "a", "/a is full, and 1 more"),
        ("health.disk", "b", "/b is full"),
    ]
    assert len(found.as_json()["findings"]) == 4


@pytest.mark.parametrize(
    ("found", "changes", "whole", "why"),
    [
        ((), {}, True, "what it muted is gone"),
        ((), {}, False, ""),
        ((), {"sticky": True}, True, ""),
        ((disk("a"),), {"until": 999.0}, True, "its time is over"),
        ((disk("a"),), {"until": 1001.0}, True, ""),
        ((disk("a"), disk("b")), {}, True, "2 findings in place of 1"),
        ((disk("a"), disk("b")), {"sticky": True}, True, "2 findings in place of 1"),
        ((disk("a"), disk("b")), {"sticky": True, "count": None, "severity": ""}, True, ""),
        ((disk("b"),), {}, True, ""),  # a mute of an older toolkit
        ((disk("a"),), {"hosts": ("a",)}, True, ""),
        ((disk("b"),), {"hosts": ("a",)}, True, "b has it as well"),
        ((disk("a", Severity.ERROR),), {}, False, "it has become an error"),
    ],
)
def test_when_a_mute_ends(
    found: tuple[Finding, ...], changes: dict[str, Any], whole: bool, why: str
) -> None:
    one = made(*found, mute=replace(MUTE, **changes), whole=whole)
    assert [ended.why for ended in one.ended] == ([why] if why else [])
    assert len(one.mutes) == (0 if why else 1)
    assert bool(one.counted) == bool(why and found)
