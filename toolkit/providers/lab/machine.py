"""What this machine needs to run systemd containers, found out once; users never meet it.

Facts behind it (measured): systemd in a container wants a pure cgroup2 tree. Where the machine has
the old hierarchy, root can give podman a mount namespace with a fresh cgroup2 mount; every podman
call has to be made inside it, or the container's network state is lost.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import click

from toolkit.content import cache_dir
from toolkit.errors import ToolkitError

NAMESPACE = Path("/run/toolkit-lab/mnt")
PACKAGES = ("podman", "mmdebstrap", "netavark", "aardvark-dns", "iptables", "crun", "conmon",
            "uidmap", "openssh-client")  # fmt: skip
CAP_SYS_RESOURCE = 24


@dataclass(frozen=True)
class Machine:
    """Facts that decide how podman is called."""

    root: bool
    cgroup2: bool
    raises_limits: bool
    counts_processes: bool
    systemd: bool

    @classmethod
    def detect(cls) -> Machine:
        """Read the facts from /proc, /sys and /run."""
        tree = subprocess.run(
            ["stat", "-fc", "%T", "/sys/fs/cgroup"], capture_output=True, text=True, check=False
        )
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        effective = next(line for line in status.splitlines() if line.startswith("CapEff:"))
        controllers = Path("/sys/fs/cgroup/cgroup.controllers")
        return cls(
            root=os.geteuid() == 0,
            cgroup2=tree.stdout.strip() == "cgroup2fs",
            raises_limits=bool(int(effective.split()[1], 16) >> CAP_SYS_RESOURCE & 1),
            counts_processes=controllers.exists() and "pids" in controllers.read_text().split(),
            systemd=Path("/run/systemd/system").is_dir(),
        )

    def refusal(self) -> str | None:
        """Why no lab host can run here, or None."""
        if self.cgroup2 or self.root:
            return None
        return "this machine has no pure cgroup2 tree, and only root can make one for the lab"

    def global_options(self) -> list[str]:
        """Options of podman itself."""
        return [] if self.systemd else ["--cgroup-manager=cgroupfs"]

    def run_options(self) -> list[str]:
        """Options of `podman run`."""
        options = ["--systemd=always"]
        if self.root:
            options.append("--privileged")
        if not self.raises_limits:
            options += ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=20000:20000"]
        if not self.counts_processes:
            options.append("--pids-limit=-1")
        return options

    def network_options(self, address: str = "", port: int = 0, mac: str = "") -> list[str]:
        """Options of `podman run` for a host that is reached there, or anywhere when not given."""
        if not self.root:  # without addresses of their own
            return ["--publish", f"127.0.0.1:{port or ''}:22"]
        return ["--ip", address, "--mac-address", mac] if address else []


@cache
def prepared() -> Machine:
    """This machine, with packages installed and, where it needs one, the namespace made.

    Raises:
        ToolkitError: lab hosts cannot run here, or packages are missing and may not be installed.
    """
    machine = Machine.detect()
    reason = machine.refusal()
    if reason:
        raise ToolkitError(reason, fix="run it as root, or use a host: toolkit provision USER@HOST")
    if not _is_prepared(machine):
        with one_at_a_time("lab.preparing"):  # two labs may be the first ones here
            _install_missing()
            if not machine.cgroup2:
                _make_namespace()
    return machine


@contextmanager
def one_at_a_time(name: str) -> Iterator[None]:
    """While this lasts no other process of this user does what has the same name."""
    cache_dir().mkdir(parents=True, exist_ok=True)
    with (cache_dir() / name).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _is_prepared(machine: Machine) -> bool:
    return _has_programs() and (machine.cgroup2 or _has_namespace())


def _has_programs() -> bool:
    return all(map(shutil.which, ("podman", "mmdebstrap", "ssh-keygen")))


def _has_namespace() -> bool:
    return subprocess.run(["mountpoint", "-q", str(NAMESPACE)], check=False).returncode == 0


def _install_missing() -> None:
    if _has_programs():
        return
    if not shutil.which("apt-get"):
        raise ToolkitError("podman and mmdebstrap are missing", fix="install both, then try again")
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    install = [*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
    click.echo(f"lab: installing {', '.join(PACKAGES)} with apt-get", err=True)
    for command in ([*sudo, "apt-get", "update", "-qq"], install):
        refused = apt_get(command)
        if refused is not None:
            raise ToolkitError(f"apt-get failed: {refused}", fix=" ".join(install))


def apt_get(command: list[str], patience: float = 300) -> str | None:
    """Run apt-get, after another one has ended: a machine that has just booted updates itself.

    Of apt's own options, DPkg::Lock::Timeout waits for dpkg's lock and not for that of the lists.

    Args:
        patience: seconds to wait for the other one.

    Returns:
        Why it failed, or None.
    """
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    deadline = time.monotonic() + patience
    while True:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        if not done.returncode:
            return None
        said = done.stderr.strip().splitlines() or ["no reason given"]
        holder = next((line for line in said if "Could not get lock" in line), None)
        if holder is None or time.monotonic() > deadline:
            return holder or said[-1]
        time.sleep(1)


def _make_namespace() -> None:
    """Pin a mount namespace whose /sys/fs/cgroup is a fresh cgroup2 mount; once per boot."""
    if _has_namespace():
        return
    script = f"""set -e
mkdir -p {NAMESPACE.parent}
mountpoint -q {NAMESPACE.parent} || mount --bind {NAMESPACE.parent} {NAMESPACE.parent}
mount --make-private {NAMESPACE.parent}
touch {NAMESPACE}
unshare --mount={NAMESPACE} --propagation private sh -c '
    umount -R /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && mkdir -p /run/netns'
"""
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ToolkitError(
            f"the lab's cgroup2 namespace could not be made: {done.stderr.strip()}",
            fix="use a machine with cgroup2, or a host: toolkit provision USER@HOST",
        )


def podman(
    *arguments: str, stdin: bytes | None = None, check: bool = True, timeout: float = 180
) -> subprocess.CompletedProcess[bytes]:
    """Run podman as this machine needs it. Paths have to be absolute.

    Args:
        timeout: seconds until it is ended.

    Raises:
        ToolkitError: it did not end in time; or it failed and `check` is set, and podman's last
            line says why.
    """
    machine = prepared()
    inside = [] if machine.cgroup2 else ["nsenter", f"--mount={NAMESPACE}", "--"]
    command = [*inside, "podman", *machine.global_options(), *arguments]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise ToolkitError(
            f"podman {arguments[0]} did not end within {timeout:.0f} s", fix="toolkit lab list"
        ) from error
    if check and done.returncode:
        cause = (done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"])[
            -1
        ]
        raise ToolkitError(f"podman {arguments[0]} failed: {cause}", fix="toolkit lab list")
    return done
