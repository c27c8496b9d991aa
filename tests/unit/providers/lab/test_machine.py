"""How podman is called follows from facts of the machine."""

from __future__ import annotations

from toolkit.providers.lab.machine import Machine


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
