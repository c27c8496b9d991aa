"""Real hosts for the scenarios: lab hosts, reached over SSH like any other, removed afterwards."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from typing import IO

import pytest
from support import saved_clusters
from support.lab_cluster import TIMEOUT, TOOLKIT, Cluster
from support.saved_clusters import Provisioned
from support.scenario import (
    pytest_collection_modifyitems,
    pytest_runtest_makereport,
    pytest_runtest_setup,
)
from support.settle import settle

__all__ = ["pytest_collection_modifyitems", "pytest_runtest_makereport", "pytest_runtest_setup"]
_ALIVE = pytest.StashKey[IO[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """The session's directory for saved clusters; workers (xdist) inherit its name."""
    if not hasattr(config, "workerinput"):
        config.stash[_ALIVE] = saved_clusters.open_session()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove what was saved."""
    if _ALIVE in config.stash:
        saved_clusters.close_session()
        config.stash[_ALIVE].close()


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    """One host with Airflow, as script/demo has left it."""
    with saved_clusters.brought_back(
        saved_clusters.SINGLE, tmp_path_factory.mktemp("single")
    ) as made:
        yield made


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Provisioned]:
    """Database and broker, scheduler and web server, two workers, as provision has left them."""
    with saved_clusters.brought_back(saved_clusters.FOUR, tmp_path_factory.mktemp("four")) as made:
        yield made


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
    settle()
