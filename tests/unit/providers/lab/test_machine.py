"""How podman is called follows from facts of the machine."""

from __future__ import annotations

import fcntl
import shutil
import threading
from pathlib import Path

import pytest

from toolkit.providers.lab.machine import Machine, apt_get


def test_what_podman_needs_follows_from_the_machine() -> None:
    ordinary = Machine(
        root=False, cgroup2=True, raises_limits=True, counts_processes=True, systemd=True
    )
    assert ordinary.refusal() is None
    assert "--privileged" not in ordinary.run_options()
    assert ordinary.global_options() == []
    old = Machine(
        root=True, cgroup2=False, raises_limits=False, counts_processes=False, systemd=False
    )
    assert old.refusal() is None
    assert {"--privileged", "--pids-limit=-1", "nofile=20000:20000"} <= set(old.run_options())
    assert old.global_options() == ["--cgroup-manager=cgroupfs"]
    assert Machine(False, False, True, True, True).refusal()


def test_a_host_is_reached_where_it_was() -> None:
    root = Machine(root=True, cgroup2=True, raises_limits=True, counts_processes=True, systemd=True)
    place = ("10.88.0.2", 22, "02:00:00:00:00:01")
    assert root.network_options() == []
    assert root.network_options(*place) == ["--ip", place[0], "--mac-address", place[2]]
    user = Machine(
        root=False, cgroup2=True, raises_limits=True, counts_processes=True, systemd=True
    )
    assert user.network_options() == ["--publish", "127.0.0.1::22"]
    assert user.network_options("127.0.0.1", 4022) == ["--publish", "127.0.0.1:4022:22"]


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="the system has no apt-get")
def test_another_apt_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "lists").mkdir()
    nothing = [f"Dir::Etc::{name}=/dev/null" for name in ("SourceList", "SourceParts")]
    options = [f"Dir::State::Lists={tmp_path}/lists", *nothing]
    command = ["apt-get", "update", *(part for option in options for part in ("-o", option))]
    with (tmp_path / "lists/lock").open("w") as lock:
        fcntl.lockf(lock, fcntl.LOCK_EX)
        assert "Could not get lock" in str(apt_get(command, patience=0))
        timer = threading.Timer(1.5, lambda: fcntl.lockf(lock, fcntl.LOCK_UN))
        timer.start()
        assert apt_get(command) is None
        timer.join()
    assert apt_get(["apt-get", "nosuch"]) == "E: Invalid operation nosuch"
