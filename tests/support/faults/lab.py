"""The cluster that faults happen to: database and broker, scheduler and web server, two workers."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from support.lab_cluster import REPOSITORY, TOOLKIT, Cluster
from support.saved_clusters import wait_for_heartbeats
from support.settle import settle
from toolkit.cluster import Cluster as Inventory
from toolkit.providers.lab import LabHost, boot, listing, podman

SLOTS = 4
"""Tasks that a worker runs at once: enough that tasks wait, few enough for a small machine."""
SETTINGS = "airflow_worker_concurrency: {slots}\nairflow_version: {version}\n"
DAG = REPOSITORY / "tests/e2e/dags/faults.py"
NAME = "faults"


@dataclass(frozen=True)
class Lab:
    """A cluster of four lab hosts that runs; hosts by what they are for."""

    cluster: Cluster

    @property
    def servers(self) -> str:
        """The host of database and broker."""
        return f"{NAME}1"

    @property
    def scheduler(self) -> str:
        """The host of the scheduler and the web server."""
        return f"{NAME}2"

    @property
    def workers(self) -> tuple[str, str]:
        """The hosts of the workers."""
        return f"{NAME}3", f"{NAME}4"

    def run(self, host: str, command: str) -> str:
        """A shell command as root, by podman: it works whatever the network is like. "" when it fails."""
        done = podman("exec", self._containers[host].container, "sh", "-c", command, check=False)
        return done.stdout.decode() if done.returncode == 0 else ""

    @cached_property
    def _containers(self) -> dict[str, LabHost]:
        return {one.name: one for one in listing()}

    def kill(self, *hosts: str) -> None:
        """Power off, all at once."""
        boot.remember_places(NAME, [self._containers[host] for host in hosts])
        podman("kill", *[self._containers[host].container for host in hosts])

    def pause(self, host: str) -> None:
        """Have a host stand still, and answer nobody."""
        podman("pause", self._containers[host].container)

    def unpause(self, host: str) -> None:
        """Have it go on."""
        podman("unpause", self._containers[host].container)

    def start(self, *hosts: str) -> None:
        """Power on, where they were."""
        for host in hosts:
            boot.start(self._containers[host])
        found = {one.name: one for one in listing()}
        for host in hosts:
            boot.make_reachable(found[host], list(found.values()))

    def restart(self, *hosts: str) -> None:
        """Power off and on."""
        self.kill(*hosts)
        self.start(*hosts)

    def forget(self) -> None:
        """Have the scheduler forget what its executor still counts of an earlier round."""
        self.run(self.scheduler, "systemctl restart airflow-scheduler")

    def status(self) -> tuple[int, dict[str, Any]]:
        """What `toolkit status` exits with and says."""
        done = subprocess.run([TOOLKIT, "status", "-i", str(self.cluster.directory), "--json"],
                              capture_output=True, text=True, check=False)  # fmt: skip
        return done.returncode, json.loads(done.stdout)

    def health(self) -> str:
        """What `toolkit health` names; "" where it names nothing."""
        command = [TOOLKIT, "health", "-i", str(self.cluster.directory), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)["findings"] if done.stdout else []
        return ", ".join(sorted({one["id"] for one in found if one["severity"] != "note"}))

    def start_toolkit(self, *arguments: str) -> subprocess.Popen[bytes]:
        """A command of the toolkit, under way."""
        command = [TOOLKIT, arguments[0], "-i", str(self.cluster.directory), *arguments[1:]]
        return subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
        )

    def toolkit(self, *arguments: str) -> int:
        """The exit status of a command of the toolkit."""
        command = [TOOLKIT, arguments[0], "-i", str(self.cluster.directory), *arguments[1:]]
        return subprocess.run(command, capture_output=True, check=False).returncode

    def lines(self, run: str) -> dict[str, str]:
        """The workers' lines of a run; those of a host that is down are missing."""
        command = f"cat /var/lib/airflow/faults-{run}.lines"
        with ThreadPoolExecutor() as pool:
            texts = pool.map(lambda host: self.run(host, command), self.workers)
            return {host: text for host, text in zip(self.workers, texts, strict=True) if text}

    def place(self) -> None:
        """Put the DAG where Airflow reads it."""
        for host in (self.scheduler, *self.workers):
            podman(
                "cp",
                str(DAG),
                f"{self._containers[host].container}:/var/lib/airflow/dags/faults.py",
            )

    def trigger(self, run: str, seconds: int, slow: int) -> None:
        """Start a run of the DAG, of that name, of whose tasks so many take that long."""
        conf = json.dumps({"seconds": seconds, "slow": slow})
        command = f"airflow dags trigger -c '{conf}' -r {run} faults 2>&1"
        self.cluster.ssh(self.scheduler, command)

    def query(self, sql: str) -> list[list[str]]:
        """Rows of the metadata database; none while it does not answer."""
        command = f'runuser -u postgres -- psql -XAtF " " airflow -c "{sql}"'
        return [line.split(" ") for line in self.run(self.servers, command).splitlines()]


@contextmanager
def brought_back(version: str, scratch: Path) -> Iterator[Lab]:
    """The cluster as its provision left it, with the DAG; provisioned first where it is not saved yet."""
    saved = f"{NAME}-{version.replace('.', '-')}"
    listed = json.loads(_lab("list", "--saved", "--json") or "[]")
    if saved not in {one["name"] for one in listed}:
        _make(saved, version, scratch / "first")
    directory = scratch / "inventory"
    _lab("up", "--from", saved, "-i", str(directory))
    try:
        cluster = Cluster(directory, dict(os.environ))
        Inventory.load(directory)
        lab = Lab(cluster)
        lab.place()
        # It may have been saved by another call, of other code.
        cluster.toolkit("provision", "--no-verify")
        wait_for_heartbeats(cluster)
        yield lab
    finally:
        _lab("down", NAME)
        subprocess.run(["rm", "-rf", str(directory)], check=False)
        settle()


def _make(saved: str, version: str, directory: Path) -> None:
    try:
        _lab("up", "--name", NAME, "--hosts", "4", "-i", str(directory))
        lab = Lab(Cluster(directory, dict(os.environ)))
        lab.cluster.set(SETTINGS.format(slots=SLOTS, version=version))
        lab.cluster.toolkit("provision")
        lab.place()
        lab.cluster.reserialize(lab.scheduler)
        _lab("save", saved, "-i", str(directory))
    finally:
        _lab("down", NAME)
        subprocess.run(["rm", "-rf", str(directory)], check=False)


def clear() -> None:
    """Remove the hosts, and every saved cluster of this harness."""
    _lab("down", NAME, check=False)
    for one in json.loads(_lab("list", "--saved", "--json", check=False) or "[]"):
        if one["name"].startswith(f"{NAME}-"):
            _lab("forget", one["name"], check=False)


def _lab(*arguments: str, check: bool = True) -> str:
    done = subprocess.run([TOOLKIT, "lab", *arguments], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"toolkit lab {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done.stdout


def until(holds: Any, within: float, pause: float = 1.0) -> bool:
    """Whether something came to hold within so many seconds."""
    deadline = time.monotonic() + within
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True
