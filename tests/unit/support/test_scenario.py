"""Steps of a scenario: what runs when one of them is chosen, and when one fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[2]
STEPS = """
import pytest

ran = []

def step(name):
    ran.append(name)

@pytest.mark.scenario
def test_makes():
    step("makes")

def test_alone():
    step("alone")

@pytest.mark.scenario
@pytest.mark.parametrize("what", ["a", "b"])
def test_uses(what):
    assert "makes" in ran
    assert what != "FAILING"

@pytest.mark.scenario
def test_removes():
    assert "makes" in ran

@pytest.mark.scenario("other")
def test_another_scenario():
    assert "makes" not in ran or "alone" in ran
"""


def run(directory: Path, *choice: str, failing: str = "none") -> dict[str, str]:
    """Outcome of each test that ran."""
    (directory / "pytest.ini").write_text("[pytest]\nmarkers = scenario\n")
    (directory / "test_steps.py").write_text(STEPS.replace("FAILING", failing))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-p", "support.scenario", "-p", "no:cacheprovider", *choice],
        cwd=directory, env={"PYTHONPATH": str(TESTS)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = [
        line.split() for line in done.stdout.splitlines() if line.startswith("test_steps.py::")
    ]
    return {line[0].partition("::")[2]: line[1] for line in lines}


@pytest.mark.parametrize(
    "choice", [("test_steps.py::test_removes",), ("-k", "removes")], ids=["name", "keyword"]
)
def test_a_step_brings_the_steps_before_it(tmp_path: Path, choice: tuple[str, ...]) -> None:
    assert list(run(tmp_path, *choice)) == [
        "test_makes", "test_uses[a]", "test_uses[b]", "test_removes"
    ]  # fmt: skip


def test_later_steps_are_left_out(tmp_path: Path) -> None:
    assert list(run(tmp_path, "test_steps.py::test_uses")) == [
        "test_makes", "test_uses[a]", "test_uses[b]"
    ]  # fmt: skip


def test_after_a_step_that_failed_the_others_of_its_scenario_are_skipped(tmp_path: Path) -> None:
    assert run(tmp_path, failing="a") == {
        "test_makes": "PASSED",
        "test_uses[a]": "FAILED",
        "test_uses[b]": "SKIPPED",
        "test_removes": "SKIPPED",
        "test_alone": "PASSED",
        "test_another_scenario": "PASSED",
    }
