"""Labs that are saved: images of a lab's hosts, its key and its inventory, to bring back as they were.

A saved lab is a directory below the state directory, whose name is the saved lab's, and an image a
host in podman's storage. The directory gets its name last: without it, images are what an
interrupted save has left, and go with the next one.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import filecmp
import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from toolkit.cluster import Cluster
from toolkit.content import digest, state_dir
from toolkit.errors import ToolkitError
from toolkit.providers.lab.boot import refuse_taken, run, start, stop
from toolkit.providers.lab.hosts import (
    OWNER,
    LabHost,
    Place,
    abandoned,
    containers,
    key_file,
    listing,
    refuse_name,
    remove,
)
from toolkit.providers.lab.machine import podman
from toolkit.providers.lab.up import in_parallel, ready_hosts
from toolkit.run.holder import Holder
from toolkit.run.lock import exclusive

LABEL = "toolkit.lab.saved"
Report = Callable[[str], None]
_INSTALLED = "/opt/airflow/current"
_COMMIT_TIMEOUT = 900


@dataclass(frozen=True)
class SavedHost:
    """One host of a saved lab; `digest` is that of its image."""

    name: str
    place: Place
    image: str
    digest: str


@dataclass(frozen=True)
class Saved:
    """A saved lab.

    Attributes:
        boots: the lab image that its hosts were made from.
        made: when, ISO 8601 in UTC.
        content: digest of the toolkit and roles that saved it.
        inventory: the directory that its inventory was in.
        files: the inventory's files; their copies are compared, for a digest of the vault's password
            would be something to guess it from.
    """

    name: str
    lab: str
    boots: str
    made: str
    content: str
    inventory: Path
    hosts: tuple[SavedHost, ...]
    files: tuple[str, ...]

    @property
    def directory(self) -> Path:
        """Where its manifest, key and inventory are stored."""
        return _root() / self.name


def _root() -> Path:
    return state_dir() / "saved-labs"


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Nobody else saves or forgets; what an interrupted save has left is removed."""
    _root().mkdir(parents=True, exist_ok=True, mode=0o700)
    with (_root() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        _remove_images(lambda labels: not (_root() / labels[LABEL]).is_dir())
        for path in _root().glob("*.saving"):
            shutil.rmtree(path)
        yield


def _remove_images(unwanted: Callable[[dict[str, str]], bool], owner: str = "") -> list[str]:
    """Remove images of saved hosts; all owners' images are asked when `owner` is '*'."""
    mine = [] if owner == "*" else [f"--filter=label={OWNER}={state_dir()}"]
    listed = podman("images", f"--filter=label={LABEL}", *mine, "--format", "json").stdout
    gone = [one["Id"] for one in json.loads(listed or b"[]") if unwanted(one["Labels"])]
    if gone:
        podman("rmi", *gone, check=False, timeout=600)
    return gone


def saved_labs() -> list[Saved]:
    """Every saved lab of this state directory."""
    return [_read(path) for path in sorted(_root().glob("*/manifest.json"))
            if not path.parent.name.endswith(".saving")]  # fmt: skip


def _read(path: Path) -> Saved:
    found = json.loads(path.read_text(encoding="utf-8"))
    hosts = tuple(SavedHost(**{**one, "place": Place(*one["place"])}) for one in found["hosts"])
    paths = {"inventory": Path(found["inventory"]), "files": tuple(found["files"])}
    return Saved(**{**found, **paths, "hosts": hosts})


def find(name: str) -> Saved:
    """A saved lab by its name.

    Raises:
        ToolkitError: there is none.
    """
    labs = {saved.name: saved for saved in saved_labs()}
    if name not in labs:
        near = difflib.get_close_matches(name, labs, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ToolkitError(f"there is no saved lab {name}{hint}", fix="toolkit lab list")
    return labs[name]


def save(name: str, inventory: Path, report: Report) -> Saved:
    """Save the lab of an inventory. Its hosts are stopped meanwhile, and run again afterwards.

    Raises:
        ToolkitError: the name is wrong or in use, the inventory's hosts are not one running lab
            with Airflow on it, there is no space, or podman fails; nothing is kept then.
    """
    refuse_name(name, "a saved lab")
    hosts = _lab_of(Cluster.load(inventory))
    with exclusive(inventory, Holder.of(inventory, f"toolkit lab save {name}")), _alone():
        if (_root() / name).exists():
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
            _remove_images(lambda labels: labels[LABEL] == name)
            raise
        finally:
            report("lab: starting again")
            in_parallel(start, [host for host in listing(hosts[0].lab) if host.state != "running"])
            ready_hosts(hosts[0].lab)
    return find(name)


def _lab_of(cluster: Cluster) -> list[LabHost]:
    """The hosts of the one lab that an inventory names, all running."""
    named = {(host.address, host.port) for host in cluster.all_hosts}
    labs = {host.lab for host in listing() if (host.address, host.port) in named}
    if len(labs) != 1:
        what = f"they belong to {', '.join(sorted(labs))}" if labs else "none of them is one"
        raise ToolkitError(f"the hosts are not those of one lab that runs: {what}",
                           where=str(cluster.directory), fix="toolkit lab list")  # fmt: skip
    (lab,) = labs
    hosts = listing(lab)
    stopped = [host.name for host in hosts if host.state != "running"]
    if stopped:
        raise ToolkitError(f"lab host {stopped[0]} does not run", fix=f"toolkit lab up --name {lab} "
                           f"--hosts {len(hosts)} -i {cluster.directory}")  # fmt: skip
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


def inventory_files(inventory: Path) -> tuple[str, ...]:
    """The files of an inventory directory, if there is one."""
    files = (path.relative_to(inventory) for path in sorted(inventory.rglob("*")) if path.is_file())
    return tuple(str(path) for path in files if ".git" not in path.parts)


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


def copy_files(source: Path, target: Path, names: Iterable[str]) -> None:
    """Copy these files with their modes; those that are there stay."""
    for name in names:
        if not (target / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, target / name)


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
        with contextlib.suppress(ToolkitError):
            remove([host.container for host in listing(saved.lab)])
            shutil.rmtree(key_file(saved.lab).parent, ignore_errors=True)
        raise
    copy_files(saved.directory / "inventory", directory, saved.files)
    return hosts, directory


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


def forget(name: str) -> None:
    """Remove a saved lab for good.

    Raises:
        ToolkitError: there is none of that name, or its hosts are up.
    """
    saved = find(name)
    if containers(f"{LABEL}={name}", f"{OWNER}={state_dir()}"):
        raise ToolkitError(
            f"lab {saved.lab} runs from it; nothing was changed",
            fix=f"toolkit lab down {saved.lab}, then: toolkit lab forget {name}",
        )
    with _alone():
        shutil.rmtree(saved.directory)
        _remove_images(lambda labels: labels[LABEL] == name)


def remove_abandoned_images() -> list[str]:
    """Remove images of saved hosts whose state directory is gone."""
    return _remove_images(lambda labels: abandoned(labels.get(OWNER, "/")), owner="*")
