"""A lab's hosts made, or started, and written into an inventory."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from toolkit.cluster.hosts_file import hosts_text
from toolkit.errors import ToolkitError
from toolkit.providers.lab import images
from toolkit.providers.lab.boot import make_reachable, remember_places, run, start
from toolkit.providers.lab.hosts import LabHost, key_file, listing, refuse_name, remove
from toolkit.providers.lab.machine import podman
from toolkit.run.interrupts import uninterrupted

T = TypeVar("T")


def up(
    lab: str, hosts: int, image: str, inventory: Path | None, report: Callable[[str], None]
) -> list[LabHost]:
    """Make a lab's hosts, or start and complete those that are there.

    Args:
        hosts: how many; existing ones beyond that stay as they are.
        inventory: directory to write hosts.yml and known_hosts into, or None.

    Raises:
        ToolkitError: the machine cannot, the image does not build, a host does not boot, or the
            inventory has other hosts already.
    """
    refuse_name(lab)
    if inventory is not None:
        _refuse_foreign(inventory, lab)
    reference = images.ensure(image, report)
    present = {host.name: host for host in listing(lab)}
    wanted = [f"{lab}{number}" for number in range(1, hosts + 1)]
    missing = [name for name in wanted if name not in present]
    _refuse_other_image([present[name] for name in wanted if name in present], image)
    _make_key(lab)
    report(f"lab: starting {', '.join(wanted)} ({image})")
    try:
        in_parallel(lambda name: run(name, lab, image, reference), missing)
        in_parallel(start, [host for host in present.values() if host.state != "running"])
        ready = ready_hosts(lab)
    except BaseException:
        with uninterrupted(), contextlib.suppress(ToolkitError):
            remove([host.container for host in listing(lab) if host.name in missing])
        raise
    if inventory is not None:
        _write_inventory(inventory, ready)
    return ready


def in_parallel(act: Callable[[T], object], items: Sequence[T]) -> None:
    """Do it with each, up to eight at a time; the first error is raised when all have ended."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(act, items))


def ready_hosts(lab: str) -> list[LabHost]:
    """A lab's running hosts, made reachable; where they are is written down."""
    hosts = listing(lab)
    in_parallel(lambda host: make_reachable(host, hosts), hosts)
    remember_places(lab, hosts)
    return hosts


def _refuse_other_image(present: list[LabHost], image: str) -> None:
    for host in present:
        if host.image != image:
            raise ToolkitError(
                f"lab host {host.name} boots {host.image}, not {image}; nothing was changed",
                fix=f"choose another lab with --name, or first: toolkit lab down {host.lab}",
            )


def _make_key(lab: str) -> None:
    key = key_file(lab)
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {lab}", "-f", str(key)],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def groups(names: list[str]) -> dict[str, list[str]]:
    """Which host is in which inventory group, by how many there are."""
    if len(names) == 1:
        return dict.fromkeys(("metadata_db", "scheduler", "webserver"), names)
    data, control = (names[0], names[0]) if len(names) == 2 else (names[0], names[1])
    workers = names[1:] if len(names) == 2 else names[2:]
    return {"metadata_db": [data], "broker": [data], "scheduler": [control],
            "webserver": [control], "worker": workers}  # fmt: skip


def _comment(lab: str) -> str:
    return f"Written by `toolkit lab up` for lab {lab}."


def _refuse_foreign(inventory: Path, lab: str) -> None:
    path = inventory / "hosts.yml"
    if path.exists() and f"# {_comment(lab)}\n" not in path.read_text(encoding="utf-8"):
        raise ToolkitError(
            f"it was not written for lab {lab}; nothing was changed",
            where=str(path),
            fix="choose another directory with -i",
        )


def _write_inventory(inventory: Path, hosts: list[LabHost]) -> None:
    (inventory / "group_vars" / "all").mkdir(parents=True, exist_ok=True)
    ignore = inventory / ".gitignore"
    if not ignore.exists():
        ignore.write_text(".vault-password\n", encoding="utf-8")
    entries = {
        host.name: {
            "ansible_host": host.address,
            **({"ansible_port": host.port} if host.port != 22 else {}),
            "ansible_user": host.user,
            "ansible_ssh_private_key_file": str(host.key_file),
        }
        for host in hosts
    }
    text = hosts_text(entries, groups([host.name for host in hosts]), _comment(hosts[0].lab))
    (inventory / "hosts.yml").write_text(text, encoding="utf-8")
    keys = []
    for host in hosts:
        public = podman("exec", host.container, "cat", "/etc/ssh/ssh_host_ed25519_key.pub").stdout
        where = host.address if host.port == 22 else f"[{host.address}]:{host.port}"
        keys.append(f"{where} {' '.join(public.decode().split()[:2])}\n")
    known = inventory / "known_hosts"
    known.write_text("".join(keys), encoding="utf-8")
    known.chmod(0o600)
