"""The file of mutes on the lease's host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost import lease, mutes

WANTED = {"code": "health.disk", "by": "a@b", "sticky": False, "count": 1, "severity": "warning"}


@pytest.fixture(autouse=True)
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(mutes, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(mutes, "MUTES", str(tmp_path / "mutes.json"))
    monkeypatch.setattr(lease, "DIRECTORY", str(tmp_path / "run"))
    monkeypatch.setattr(mutes.syslog, "syslog", lambda _, line: lines.append(line))
    return lines


def mute(seconds: float | None) -> dict[str, Any]:
    found: dict[str, Any] = mutes.main({"set": {**WANTED, "seconds": seconds}, "audit": "line"})
    return found


def test_a_mute_is_set_and_removed(said: list[str], tmp_path: Path) -> None:
    answer = mute(60)
    one = answer["mutes"]["health.disk"]
    assert one["until"] - one["since"] == pytest.approx(60)
    assert mutes.mutes() == answer["mutes"]
    assert mute(None)["mutes"]["health.disk"]["until"] is None
    assert mutes.main({"remove": {"health.disk": None}, "audit": "gone"})["changed"] == [
        "health.disk"
    ]
    assert not (tmp_path / "mutes.json").exists()
    assert said == ["line", "line", "gone"]


def test_what_is_not_there_is_no_change(said: list[str]) -> None:
    assert mutes.main({"remove": {"health.disk": None}, "audit": "x"})["changed"] == []
    assert mutes.main({"audit": ""}) | {"clock": 0} == {"changed": [], "mutes": {}, "clock": 0}
    assert said == []


def test_a_newer_mute_of_the_same_code_stays(said: list[str]) -> None:
    since = mute(60)["mutes"]["health.disk"]["since"]
    assert mutes.main({"remove": {"health.disk": since - 1}, "audit": "x"})["changed"] == []
    assert mutes.main({"remove": {"health.disk": since}, "audit": "x"})["changed"] == [
        "health.disk"
    ]
    assert said == ["line", "x"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"health.disk": 1}'])
def test_a_file_that_nobody_can_read_has_no_mutes(tmp_path: Path, text: str) -> None:
    (tmp_path / "mutes.json").write_text(text)
    assert mutes.mutes() == {}


def test_a_host_without_the_toolkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mutes, "DIRECTORY", str(tmp_path / "nothing"))
    assert mute(60)["changed"] == []
