"""Real hosts for the scenarios: lab hosts, reached over SSH like any other, removed afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator

import pytest
from support.lab_cluster import TIMEOUT, TOOLKIT, Cluster


@pytest.fixture(scope="module")
def make_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Cluster]]:
    """Makes labs with an inventory each; removes their hosts when the module is done."""
    state = tmp_path_factory.mktemp("state")
    environment = os.environ | {"XDG_STATE_HOME": str(state), "COLUMNS": "200"}
    made: list[str] = []

    def make(name: str, hosts: int = 1, image: str = "debian12") -> Cluster:
        cluster = Cluster(tmp_path_factory.mktemp("inventory") / name, environment)
        made.append(name)
        done = subprocess.run(
            [TOOLKIT, "lab", "up", "--name", name, "--hosts", str(hosts), "--image", image, "-i", str(cluster.directory)],
            env=environment, check=False, capture_output=True, text=True, timeout=TIMEOUT,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return cluster

    yield make
    for name in made:
        subprocess.run([TOOLKIT, "lab", "down", name], env=environment, check=False)
