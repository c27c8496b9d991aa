"""What the harness of script/faults counts, and the table that it writes."""

from __future__ import annotations

from pathlib import Path

from support.faults import page
from support.faults.lines import read
from support.faults.named import FAULTS
from support.faults.rounds import Result

PAGE = Path(__file__).resolve().parents[3] / "docs/reliability.md"


def test_lost_repeated_and_parallel_work_is_counted() -> None:
    found = read({
        "w1": "S 0 1 100.0\nE 0 1 102.0\nS 1 1 100.0\nS 2 1 101.0\nE 2 1 109.0\n",
        "w2": "S 1 2 180.0\nE 1 2 182.0\nS 2 2 108.0\nE 2 2 110.0\nT 3 1 185.0\nS 9 1",
    })  # fmt: skip
    assert found.total == (3, 185.0)
    assert found.done == 3
    assert found.again(105.0) == 75.0
    assert found.pause(105.0) == 72.0
    assert found.twice() == 1
    assert found.at_once() == 1


def test_a_message_that_came_twice_is_a_try_beside_another() -> None:
    found = read({"w1": "S 0 1 100.0\nE 0 1 110.0\n", "w2": "S 0 1 105.0\nE 0 1 115.0\n"})
    assert found.at_once() == 1
    assert (found.again(0), found.twice()) == (None, 1)


def test_results_replace_their_rows_and_leave_the_others() -> None:
    text = f"before\n{page.BEGIN}\n{page.END}\nafter\n"
    first = page.written(text, [Result("worker-kill", "3.3.2", state="success", seconds=100.4, lost=2, again=84.6)])  # fmt: skip
    assert "| 100 s | 2 / 0 | 0 s | 85 s |" in first
    second = page.written(first, [Result("none", "3.3.2", state="success"), Result("worker-kill", "2.11.2", state="failed")])  # fmt: skip
    rows = [line for line in second.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows] == ["| fault", "| worker-kill", "| none", "| worker-kill"]  # fmt: skip
    assert "| failed |" in rows[1]
    third = page.written(second, [Result("worker-kill", "3.3.2", state="success", lost=0)])
    assert len(third.splitlines()) == len(second.splitlines())
    assert third.startswith("before\n")
    assert third.endswith("after\n")


def test_the_page_has_a_table_of_faults_that_there_are() -> None:
    assert page.written(PAGE.read_text(), []) == PAGE.read_text()
    assert "late-address" in FAULTS
