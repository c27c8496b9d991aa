"""The lease on a cluster: who gets it, who is kept away, and for how long."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost import lease
from toolkit.run.holder import Holder


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this machine keeps the lease in place of /run."""
    monkeypatch.setattr(lease, "DIRECTORY", str(tmp_path))
    monkeypatch.setattr(lease, "LEASE", str(tmp_path / "lease.json"))
    return tmp_path


def ask(action: str, holder: Holder, stale: float = 30) -> dict[str, Any]:
    answer: dict[str, Any] = lease.main(
        {"action": action, "holder": holder.as_json(), "stale": stale}
    )
    return answer


def holder(directory: Path) -> Holder:
    return Holder.of(directory, "toolkit provision")


def test_another_machine_is_told_who_works_there(tmp_path: Path) -> None:
    first, second = holder(tmp_path / "here"), holder(tmp_path / "there")
    assert ask("take", first)["held"] is None
    answer = ask("take", second)
    assert answer["held"] == first.as_json()
    assert 0 <= answer["seconds"] < 60
    assert ask("take", second)["held"]["token"] == first.token  # asking does not change it


def test_a_run_that_died_here_is_continued_at_once(tmp_path: Path) -> None:
    died, again = holder(tmp_path), holder(tmp_path)
    ask("take", died)
    assert ask("take", again)["held"] is None
    ask("end", died)  # its last words, come late
    assert ask("take", holder(tmp_path / "there"))["held"] == again.as_json()


def test_one_that_is_not_renewed_may_be_taken_over(tmp_path: Path) -> None:
    ask("take", holder(tmp_path / "here"))
    other = holder(tmp_path / "there")
    assert ask("take", other, stale=0)["held"] is None
    assert ask("renew", holder(tmp_path / "here"))["held"] == other.as_json()


def test_the_end_removes_it(tmp_path: Path, directory: Path) -> None:
    mine = holder(tmp_path)
    ask("take", mine)
    assert ask("renew", mine)["held"] is None
    ask("end", mine)
    assert not (directory / "lease.json").exists()


def test_a_lease_that_was_cut_off_is_none(tmp_path: Path, directory: Path) -> None:
    (directory / "lease.json").write_text('{"holder": ')
    assert ask("take", holder(tmp_path))["held"] is None
