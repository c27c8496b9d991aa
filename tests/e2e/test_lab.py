"""A provisioned lab that is saved comes back as it was; what cannot be saved is refused."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

from support.lab_cluster import TIMEOUT, TOOLKIT, Cluster
from support.saved_clusters import SINGLE, Provisioned

from toolkit.providers.lab.hosts import OWNER
from toolkit.providers.lab.machine import podman
from toolkit.providers.lab.saved import LABEL

HOST = "e2eone1"


def lab(cluster: Cluster, *arguments: str, expect: int = 0) -> str:
    done = subprocess.run([TOOLKIT, "lab", *arguments], env=cluster.environment, check=False,
                          capture_output=True, text=True, timeout=TIMEOUT)  # fmt: skip
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


def saved_names(cluster: Cluster) -> list[str]:
    return [one["name"] for one in json.loads(lab(cluster, "list", "--saved", "--json"))]


def test_it_comes_back_at_its_address_and_runs(single: Provisioned) -> None:
    listed = json.loads(lab(single, "list", "--saved", "--json"))
    (host,) = next(one["hosts"] for one in listed if one["name"] == SINGLE.saved)
    assert single.ssh(HOST, "hostname -I").split() == [host["place"][0]]
    assert single.json("verify")["ok"]
    assert HOST in single.ssh(HOST, "cat /etc/hosts")


def test_the_same_addresses_are_given_once(single: Provisioned) -> None:
    said = lab(single, "up", "--from", SINGLE.saved, expect=2)
    assert "two labs cannot have the same addresses" in said
    assert f"toolkit lab down {SINGLE.lab}" in lab(single, "forget", SINGLE.saved, expect=2)


@contextlib.contextmanager
def idle_image(cluster: Cluster, tmp_path: Path) -> Iterator[str]:
    """An image of a saved host of this cluster's state directory, that no host runs from."""
    reference = "localhost/e2e-idle:1"
    with tarfile.open(tmp_path / "empty.tar", "w") as tar:
        tar.addfile(tarfile.TarInfo("empty"))
    state = Path(cluster.environment["XDG_STATE_HOME"]) / "toolkit"
    labels = (f"{LABEL}={SINGLE.saved}", f"{OWNER}={state}")
    changes = [f"--change=LABEL {label}" for label in labels]
    podman("import", "--quiet", *changes, str(tmp_path / "empty.tar"), reference)
    yield reference
    podman("rmi", reference)  # fails when it is gone


def test_what_is_refused(
    single: Provisioned, make_cluster: Callable[..., Cluster], tmp_path: Path
) -> None:
    directory = str(single.directory)
    assert "already" in lab(single, "save", SINGLE.saved, "-i", directory, expect=2)
    assert "cannot be the name" in lab(single, "save", "../x", "-i", directory, expect=2)
    bare = make_cluster("e2ebare")
    with idle_image(single, tmp_path):  # what another state directory has saved stays
        said = lab(bare, "save", "bare", "-i", str(bare.directory), expect=2)
    assert "nothing is provisioned" in said
    assert saved_names(bare) == []


def test_an_interrupted_save_keeps_nothing_and_the_lab_runs(single: Provisioned) -> None:
    address = single.ssh(HOST, "hostname -I")
    process = subprocess.Popen(
        [TOOLKIT, "lab", "save", "half", "-i", single.directory],
        env=single.environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr
    for line in process.stderr:
        if "saving each host" in line:
            process.send_signal(signal.SIGINT)
    assert process.wait(timeout=120) == 130
    assert "half" not in saved_names(single)
    assert single.ssh(HOST, "hostname -I") == address
    assert single.json("verify")["ok"]
