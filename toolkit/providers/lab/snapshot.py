"""A lab saved, and brought back as it was: images of its hosts, its key and its inventory."""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from toolkit.cluster import Cluster
from toolkit.content import digest, state_dir
from toolkit.errors import ToolkitError
from toolkit.providers.lab.boot import refuse_taken, run, start, stop
from toolkit.providers.lab.hosts import SSH_PORT, LabHost, key_file, listing, refuse_name, remove
from toolkit.providers.lab.machine import podman
from toolkit.providers.lab.saved import (
    LABEL,
    Saved,
    SavedHost,
    alone,
    find,
    remove_images,
    saved_labs,
)
from toolkit.providers.lab.up import in_parallel, ready_hosts
from toolkit.run.holder import Holder
from toolkit.run.interrupts import Interrupts, uninterrupted
from toolkit.run.lock import exclusive

Report = Callable[[str], None]
_INSTALLED = "/opt/airflow/current"
_COMMIT_TIMEOUT = 900


def save(name: str, inventory: Path, report: Report) -> Saved:
    """Save the lab of an inventory. Its hosts are stopped meanwhile, and run again afterwards.

    Raises:
        ToolkitError: the name is wrong or in use, the inventory's hosts are not one running lab
            with Airflow on it, there is no space, or podman fails; nothing is kept then.
    """
    refuse_name(name, "a saved lab")
    hosts = lab_of(Cluster.load(inventory), listing())
    holder = Holder.of(inventory, f"toolkit lab save {name}")
    with exclusive(inventory, holder), alone(), Interrupts().heard():
        if any(saved.name == name for saved in saved_labs()):
            raise ToolkitError(f"there is a saved lab {name} already",
                               fix=f"choose another name, or first: toolkit lab forget {name}")  # fmt: skip
        _refuse_bare(hosts, inventory)
        _refuse_without_space(hosts)
        try:
            report(f"lab: stopping {', '.join(host.name for host in hosts)}")
            in_parallel(stop, hosts)
            report("lab: saving each host as an image")
            in_parallel(lambda host: _commit(host, name), hosts)
            _keep(_manifest(name, inventory, hosts))
        except BaseException:
            with uninterrupted():
                remove_images(lambda labels: labels[LABEL] == name)
            raise
        finally:
            with uninterrupted():
                report("lab: starting again")
                stopped = [host for host in listing(hosts[0].lab) if host.state != "running"]
                in_parallel(start, stopped)
                ready_hosts(hosts[0].lab)
    return find(name)


def lab_of(cluster: Cluster, present: list[LabHost]) -> list[LabHost]:
    """The hosts of the one lab that an inventory names, all running."""
    named = {(host.address, host.port or SSH_PORT) for host in cluster.all_hosts}
    labs = {host.lab for host in present if (host.address, host.port) in named}
    if len(labs) != 1:
        what = f"they belong to {', '.join(sorted(labs))}" if labs else "none of them is one"
        raise ToolkitError(f"the hosts are not those of one lab that runs: {what}",
                           where=str(cluster.directory), fix="toolkit lab list")  # fmt: skip
    (lab,) = labs
    hosts = [host for host in present if host.lab == lab]
    stopped = [host.name for host in hosts if host.state != "running"]
    if stopped:
        raise ToolkitError(f"lab host {stopped[0]} does not run", fix=f"toolkit lab up --name {lab} "
                           f"--hosts {len(hosts)} -i {cluster.inventory}")  # fmt: skip
    return hosts


def _refuse_bare(hosts: list[LabHost], inventory: Path) -> None:
    tests = [
        podman("exec", host.container, "test", "-e", _INSTALLED, check=False) for host in hosts
    ]
    if all(test.returncode for test in tests):
        raise ToolkitError(f"nothing is provisioned on lab {hosts[0].lab}; a bare lab is not saved",
                           fix=f"toolkit provision -i {inventory}")  # fmt: skip


def _refuse_without_space(hosts: list[LabHost]) -> None:
    names = [host.container for host in hosts]
    sizes = podman("inspect", "--size", "--format", "{{.SizeRw}}", *names).stdout.split()
    storage = Path(podman("info", "--format", "{{.Store.GraphRoot}}").stdout.decode().strip())
    refuse_size(sum(map(int, sizes)), storage)


def refuse_size(size: int, storage: Path) -> None:
    """Raise a ToolkitError when so many bytes do not fit into podman's storage."""
    free = shutil.disk_usage(storage).free
    if size > free:
        raise ToolkitError(
            f"saving takes {size // 10**6} MB, and {storage} has {free // 10**6} MB free",
            fix="toolkit lab list shows saved labs; toolkit lab forget NAME removes one",
        )


def _reference(name: str, host: str) -> str:
    owner = hashlib.sha256(str(state_dir()).encode()).hexdigest()[:8]
    return f"localhost/toolkit-lab-saved/{owner}/{name}:{host}"


def _commit(host: LabHost, name: str) -> None:
    podman("commit", "--quiet", "--change", f"LABEL {LABEL}={name}", host.container,
           _reference(name, host.name), timeout=_COMMIT_TIMEOUT)  # fmt: skip


def _manifest(name: str, inventory: Path, hosts: list[LabHost]) -> Saved:
    references = {host.name: _reference(name, host.name) for host in hosts}
    inspected = json.loads(podman("image", "inspect", *references.values()).stdout)
    digests = [image["Digest"] for image in inspected]
    return Saved(
        name=name,
        lab=hosts[0].lab,
        boots=hosts[0].image,
        made=datetime.now(UTC).isoformat(timespec="seconds"),
        content=digest(),
        inventory=inventory.resolve(),
        hosts=tuple(
            SavedHost(host.name, host.place, references[host.name], one)
            for host, one in zip(hosts, digests, strict=True)
        ),
        files=inventory_files(inventory),
    )


def _keep(saved: Saved) -> None:
    """Store key, inventory and manifest; the last step gives the directory its name."""
    scratch = saved.directory.with_suffix(".saving")
    scratch.mkdir(mode=0o700)
    key = key_file(saved.lab)
    for path in (key, key.with_suffix(".pub")):
        shutil.copy2(path, scratch)
    copy_files(saved.inventory, scratch / "inventory", saved.files)
    text = json.dumps(asdict(saved), indent=2, default=str)
    (scratch / "manifest.json").write_text(text + "\n", encoding="utf-8")
    scratch.rename(saved.directory)


def restore(name: str, inventory: Path | None, report: Report) -> tuple[list[LabHost], Path]:
    """Bring a saved lab back: its hosts at their addresses, and its inventory.

    Args:
        inventory: where the inventory goes; by default where it was.

    Returns:
        The hosts, and the inventory's directory.

    Raises:
        ToolkitError: there is no such saved lab, it is up already, an address is in use, the
            directory holds something else, or a host does not boot; nothing is left then.
    """
    saved = find(name)
    directory = (inventory or saved.inventory).resolve()
    if listing(saved.lab):
        raise ToolkitError(
            f"lab {saved.lab} is there already, and two labs cannot have the same addresses",
            fix=f"continue with it, or first: toolkit lab down {saved.lab}",
        )
    _refuse_without_images(saved)
    refuse_changed(directory, saved)
    refuse_taken({host.name: host.place for host in saved.hosts})
    if saved.content != digest():
        report(f"lab: {name} was saved by other code of the toolkit; toolkit provision renews it")
    report(f"lab: starting {', '.join(host.name for host in saved.hosts)} (saved {saved.made})")
    try:
        key_file(saved.lab).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        for file in ("id_ed25519", "id_ed25519.pub"):
            shutil.copy2(saved.directory / file, key_file(saved.lab).parent)
        in_parallel(
            lambda host: run(host.name, saved.lab, saved.boots, host.image, host.place), saved.hosts
        )
        hosts = ready_hosts(saved.lab)
    except BaseException:
        with uninterrupted(), contextlib.suppress(ToolkitError):
            remove([host.container for host in listing(saved.lab)])
            shutil.rmtree(key_file(saved.lab).parent, ignore_errors=True)
        raise
    copy_files(saved.directory / "inventory", directory, saved.files)
    return hosts, directory


def _refuse_without_images(saved: Saved) -> None:
    for host in saved.hosts:
        if podman("image", "exists", host.image, check=False).returncode:
            raise ToolkitError(f"the image of {host.name} is no longer in podman's storage",
                               fix=f"toolkit lab forget {saved.name}, and save the lab again")  # fmt: skip


def inventory_files(inventory: Path) -> tuple[str, ...]:
    """The files of an inventory directory, if there is one."""
    files = (path.relative_to(inventory) for path in sorted(inventory.rglob("*")) if path.is_file())
    return tuple(str(path) for path in files if ".git" not in path.parts)


def copy_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy these files with their modes; those that are there stay."""
    for name in names:
        if not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


def refuse_changed(directory: Path, saved: Saved) -> None:
    """Raise a ToolkitError when a file in the inventory's place is not as it was saved.

    Restoring it would lose what was changed; leaving it would not fit the hosts.
    """
    present = set(inventory_files(directory))
    shared = sorted(present.intersection(saved.files))
    for name in shared:
        if not filecmp.cmp(directory / name, saved.directory / "inventory" / name, shallow=False):
            raise ToolkitError(
                f"it is not as it was saved with {saved.name}; nothing was changed",
                where=str(directory / name),
                fix="choose another directory with -i, or move this one away",
            )
    if present and not shared:
        raise ToolkitError(f"it has other files than saved lab {saved.name}; nothing was changed",
                           where=str(directory), fix="choose another directory with -i")  # fmt: skip
