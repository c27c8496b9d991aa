"""Lines from several hosts: whole ones, each with its host."""

from __future__ import annotations

import pytest

from toolkit.commands.exec import summary
from toolkit.hosts import HostProblem
from toolkit.run.by_host import ByHost


def test_lines_are_whole_however_they_come(capsys: pytest.CaptureFixture[str]) -> None:
    shown = ByHost(["a", "long"])
    for host, chunk in (
        ("a", b"one\ntw"),
        ("long", b"x\r\n"),
        ("a", b"o\nres\xc3"),
        ("a", b"\xa9\nt"),
    ):
        shown.hear(host, 1, chunk, lambda line, host=host: shown.write(host, line))  # type: ignore[misc]
    assert capsys.readouterr().out.splitlines() == [
        "a    | one",
        "long | x",
        "a    | two",
        "a    | resé",
    ]
    assert shown.rest("a", 1) == "t"
    assert shown.rest("a", 1) == ""


def test_how_it_ended_everywhere() -> None:
    problem = HostProblem("unreachable", "c", "it is away", "try again")
    assert summary({"a": 0, "b": 0}) == "exit status 0: a, b"
    assert summary({"a": 0, "b": 3, "c": problem}) == "exit status 0: a; 3: b; not reached: c"
