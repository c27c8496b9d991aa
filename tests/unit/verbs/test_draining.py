"""What a drain says of workers that are not done at its deadline; no host needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster
from toolkit.hosts.draining import Running, Tasks
from toolkit.verbs.draining import Draining

CLUSTER = Cluster.planned(Path("/inventory"), {"w1": ("worker",), "w2": ("worker",)})


def draining(**left: Tasks) -> Draining:
    nobody: Any = None
    found = Draining(CLUSTER, nobody, list(CLUSTER.hosts))
    found.left = left
    return found


def test_tasks_that_still_run() -> None:
    left = draining(w1=Tasks(answers=True), w2=Tasks(tasks=(Running(),), answers=True))
    assert left.unfinished() == ("w2", "still runs 1 task")


def test_a_worker_that_says_nothing() -> None:
    name, does = draining(w1=Tasks(answers=True), w2=Tasks(answers=False)).unfinished()
    assert (name, does.partition(":")[0]) == ("w2", "does not say what it runs")
