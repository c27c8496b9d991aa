"""What people do to a running cluster, done under load: provisions, restarts, drains and deploys."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from support.faults.lab import Lab

DEPLOYS = 20
STEPS = ("DAGs read", "on all hosts", "imported", "switched")
"""The lines of a deploy's progress after which its control machine is killed."""
_DAG = """from datetime import datetime
try:
    from airflow.sdk import dag
except ImportError:
    from airflow.decorators import dag

@dag(schedule=None, start_date=datetime(2024, 1, 1))
def other():
    {}

other()
"""


def again(lab: Lab) -> str:
    """A provision that has nothing to change."""
    return f"`provision` exits with {lab.toolkit('provision')}"


def changed(lab: Lab) -> str:
    """A provision with another setting of the workers."""
    settings = lab.cluster.directory / "group_vars/all/airflow.yml"
    settings.write_text(settings.read_text().replace("concurrency: 4", "concurrency: 5"))
    return f"`provision` exits with {lab.toolkit('provision')}"


def rolling(lab: Lab) -> str:
    """Everything restarted, one host at a time."""
    return f"`restart --rolling` exits with {lab.toolkit('restart', '--rolling')}"


def drained(lab: Lab) -> str:
    """A worker out of work, and back."""
    out, back = lab.toolkit("drain", lab.workers[0]), lab.toolkit("undrain", lab.workers[0])
    return f"`drain` exits with {out}, `undrain` with {back}"


def deploys(lab: Lab) -> str:
    """Twenty deploys: one has a syntax error, in one a host is down, and some are killed, one after each step."""
    ended: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(DEPLOYS):
            Path(folder, "other.py").write_text(_DAG.format(f"print({number})"))
            ended[_SPECIAL.get(number, _deployed)(lab, folder)] += 1
    last = lab.toolkit("deploy", "--list")
    said = ", ".join(f"{count} {how}" for how, count in sorted(ended.items()))
    return f"`deploy`: {said}; `deploy --list` exits with {last}"


def _deployed(lab: Lab, folder: str) -> str:
    return f"exit with {lab.toolkit('deploy', folder)}"


def _with_a_syntax_error(lab: Lab, folder: str) -> str:
    Path(folder, "other.py").write_text(_DAG.format("(("))
    return f"(a syntax error) exits with {lab.toolkit('deploy', folder)}"


def _with_a_host_down(lab: Lab, folder: str) -> str:
    lab.pause(lab.workers[1])
    try:
        return f"(a host down) exits with {lab.toolkit('deploy', folder)}"
    finally:
        lab.unpause(lab.workers[1])


def _killed_after(step: str) -> Callable[[Lab, str], str]:
    def killed(lab: Lab, folder: str) -> str:
        deploying = lab.start_toolkit("deploy", folder)
        assert deploying.stderr
        for line in deploying.stderr:
            if step.encode() in line:
                break
        deploying.kill()
        ended = deploying.wait()
        return "killed" if ended < 0 else f"to be killed ended with {ended}"

    return killed


_SPECIAL: dict[int, Callable[[Lab, str], str]] = {
    3: _with_a_syntax_error,
    6: _with_a_host_down,
    **{9 + 2 * place: _killed_after(step) for place, step in enumerate(STEPS)},
}
