"""What is typed after `toolkit health`, and how it is printed; no host needed."""

from __future__ import annotations

import json
from typing import NoReturn

import pytest
from click.testing import CliRunner, Result

from toolkit.checks.report import report
from toolkit.cli import main
from toolkit.commands.health import command, said, text
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.findings import Finding
from toolkit.hosts.mutes import Mute

MUTE = Mute("health.disk", "ann@laptop", 0.0, sticky=True, count=1, severity="warning")
FOUND = [
    Finding.of("health.disk", host="d1", what="/ is nearly full", fix="make room"),
    Finding.of("running.unit", host="w1", what="worker is down", fix="start it"),
]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(
        command, ["-i", "inventory/single", *arguments], standalone_mode=False
    )


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        (("details",), "after health comes"),
        (("mute",), "after health comes"),
        (("unmute", "health.disk", "4h"), "after health comes"),
        (("--sticky",), "--sticky goes with mute alone"),
        (("mute", "health.disk", "--watch"), "--watch does not go with mute"),
        (("mute", "health.disk", "-l", "w1"), "does not go with --limit"),
        (("mute", "health.disks"), "did you mean health.disk?"),
        (("mute", "health.disk", "4"), "'4' is no time"),
    ],
)
def test_what_is_typed_wrong(arguments: tuple[str, ...], needle: str) -> None:
    assert needle in str(run(*arguments).exception)


def test_lines_for_people() -> None:
    made = report(FOUND, [MUTE], 0.0, whole=True)
    assert text(made, detail=False).splitlines() == [
        "HEALTH_ERR 1 (1 muted)",
        "running.unit  w1  worker is down",
    ]
    assert text(made, detail=True).splitlines() == [
        "HEALTH_ERR 1 (1 muted)",
        "running.unit  w1  error: worker is down",
        f"  why: {FOUND[1].why}",
        "  fix: start it",
        "health.disk   d1  warning: / is nearly full",
        f"  why: {FOUND[0].why}",
        "  fix: make room",
        f"  {said(MUTE)}",
    ]
    assert said(MUTE).endswith("for good")


def test_a_mute_of_what_is_not_there_is_listed_in_detail() -> None:
    made = report([], [MUTE], 0.0, whole=True)
    assert text(made, detail=True).splitlines() == ["HEALTH_OK", f"health.disk is {said(MUTE)}"]


@pytest.mark.parametrize(
    "error", [ToolkitError("it was started", exit_code=EXIT_FAILED), ZeroDivisionError("a defect")]
)
def test_no_error_ends_as_a_warning_does(
    error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def asking(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr("toolkit.verbs.health.asking", asking)
    with pytest.raises(SystemExit) as ended:
        main(["health", "-i", "inventory/single", "--json"])
    assert ended.value.code == 2
    (line,) = capsys.readouterr().out.splitlines()
    assert not json.loads(line)["ok"]
