"""Labs that are saved: listed, found and forgotten (snapshot.py saves them and brings them back).

A saved lab is a directory below the state directory, whose name is the saved lab's, and an image a
host in podman's storage. The directory gets its name last: without it, images are what an
interrupted save has left, and go with the next one.
"""

from __future__ import annotations

import contextlib
import difflib
import fcntl
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.content import state_dir
from toolkit.errors import ToolkitError
from toolkit.providers.lab.hosts import OWNER, Place, abandoned, containers
from toolkit.providers.lab.machine import podman

LABEL = "toolkit.lab.saved"


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
def alone() -> Iterator[None]:
    """Nobody else saves or forgets; what an interrupted save has left is removed."""
    _root().mkdir(parents=True, exist_ok=True, mode=0o700)
    with (_root() / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remove_images(lambda labels: not (_root() / labels[LABEL]).is_dir())
        for path in _root().glob("*.saving"):
            shutil.rmtree(path)
        yield


def remove_images(
    unwanted: Callable[[dict[str, str]], bool], everywhere: bool = False
) -> list[str]:
    """Remove images of saved hosts by their labels; returns their ids.

    Args:
        everywhere: those of other state directories too.
    """
    # One filter only: of two, podman lists what has either label (of containers what has both).
    listed = podman("images", f"--filter=label={LABEL}", "--format", "json").stdout
    mine = str(state_dir())
    gone = [
        one["Id"]
        for one in json.loads(listed or b"[]")
        if (everywhere or one["Labels"].get(OWNER) == mine) and unwanted(one["Labels"])
    ]
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
    with alone():
        shutil.rmtree(saved.directory)
        remove_images(lambda labels: labels[LABEL] == name)


def remove_abandoned_images() -> list[str]:
    """Remove images of saved hosts whose state directory is gone."""
    return remove_images(lambda labels: abandoned(labels.get(OWNER, "/")), everywhere=True)
