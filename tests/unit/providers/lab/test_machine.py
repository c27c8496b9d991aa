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
