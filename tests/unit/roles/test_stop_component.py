"""How a unit is stopped (roles/airflow/files/stop_component), with real processes and signals."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/airflow/files/stop_component"

# As Airflow does: the handler raises SystemExit. Children take the names of LocalExecutor's workers.
START = """
import signal, subprocess, sys, time, weakref

def handler(number, frame):
    print("told", flush=True)
    sys.exit(0)

def child(title):
    return subprocess.Popen(["airflow worker -- LocalExecutor" + title], executable="/bin/cat",
                            stdin=subprocess.PIPE)

class Thing: pass

signal.signal(signal.SIGTERM, handler)
"""
READY = """
print("ready", flush=True)
"""
# The first signal comes while a weak reference's callback runs.
LOSES_ONE = """
thing = Thing()
reference = weakref.ref(thing, lambda _: (print("ready", flush=True), time.sleep(30)))
del thing
time.sleep(30)
"""
FINISHES_A_TASK = """
try:
    print("ready", flush=True)
    time.sleep(30)
finally:
    time.sleep(3)
    working.stdin.close()
    working.wait()
"""


Main = Callable[[str], "subprocess.Popen[str]"]


@pytest.fixture
def main() -> Iterator[Main]:
    """Start a component; it has said "ready"."""
    running: list[subprocess.Popen[str]] = []

    def start(program: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", START + program], stdout=subprocess.PIPE, text=True
        )
        running.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in running:
        process.kill()
        process.wait()


def stop(process: subprocess.Popen[str] | None) -> int:
    """Stop it; how often it was told to. Reaps it, as systemd does."""
    stopping = subprocess.Popen([SCRIPT, str(process.pid) if process else "", "1"])
    while stopping.poll() is None:
        if process:
            process.poll()
        time.sleep(0.02)
    assert stopping.returncode == 0
    if process is None or process.poll() is None:
        return -1
    assert process.stdout is not None
    return process.stdout.read().count("told")


def test_told_once(main: Main) -> None:
    assert stop(main(READY + "time.sleep(30)")) == 1


def test_a_lost_signal_is_sent_again(main: Main) -> None:
    assert stop(main(LOSES_ONE)) == 2


@pytest.mark.parametrize(
    ("idle", "working"),
    [(": <idle>", ": 0198"), ("", ": ['airflow', 'tasks']"), (" [team]: <idle>", " [team]: 0198")],
)
def test_a_worker_that_idles_shows_that_it_was_lost(main: Main, idle: str, working: str) -> None:
    children = f"idle, working = child({idle!r}), child({working!r})\n"
    assert stop(main(children + LOSES_ONE)) == 2


@pytest.mark.parametrize("title", [": 0198", ": ['airflow', 'tasks']", " [team]: 0198"])
def test_tasks_are_waited_for(main: Main, title: str) -> None:
    began = time.monotonic()
    assert stop(main(f"working = child({title!r})" + FINISHES_A_TASK)) == 1
    assert time.monotonic() - began > 3


def test_what_never_leaves_is_left_to_systemd(main: Main) -> None:
    process = main("signal.signal(signal.SIGTERM, signal.SIG_IGN)" + READY + "time.sleep(30)")
    assert stop(process) == -1


def test_nothing_to_stop() -> None:
    assert stop(None) == -1
