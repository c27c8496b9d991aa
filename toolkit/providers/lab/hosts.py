"""Lab hosts that there are: listed, and removed. A lab is a name, a key pair, one or more containers.

A lab belongs to the state directory that has its key: labs of the same name from two of them (two
checkouts that run their tests, say) do not meet.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from toolkit.content import state_dir
from toolkit.errors import ToolkitError
from toolkit.providers.lab import images
from toolkit.providers.lab.machine import podman

LABEL = "toolkit.lab"
OWNER = "toolkit.state"
SSH_PORT = 22
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")


class Place(NamedTuple):
    """Where a host is reached. The MAC address keeps this machine's ARP table right."""

    address: str
    port: int
    mac: str


@dataclass(frozen=True)
class LabHost:
    """One lab host; `container` is podman's name for it, SSH connects to `address` and `port`."""

    name: str
    container: str
    lab: str
    image: str
    state: str
    address: str
    port: int
    mac: str
    user: str
    key_file: Path

    @property
    def place(self) -> Place:
        """Where it is reached."""
        return Place(self.address, self.port, self.mac)


def refuse_name(name: str, of: str = "a lab") -> None:
    """Raise a ToolkitError when a lab, or what is `of` that kind, cannot have this name.

    Host names are made from it, and what `down` deletes: a path would lead out of the toolkit's
    directory, and to podman a label filter with an empty value means every lab.
    """
    if not _NAME.fullmatch(name):
        raise ToolkitError(
            f"{name!r} cannot be the name of {of}",
            fix="use lower-case letters, digits and hyphens, beginning with a letter",
        )


def key_file(lab: str) -> Path:
    """The private key that opens a lab's hosts."""
    return state_dir() / "labs" / lab / "id_ed25519"


def listing(lab: str | None = None) -> list[LabHost]:
    """Every lab host of this state directory, or of one lab, in the order of their numbers."""
    label = LABEL if lab is None else f"{LABEL}={lab}"
    hosts = [_describe(container) for container in containers(label, f"{OWNER}={state_dir()}")]
    return sorted(hosts, key=lambda host: (host.lab, len(host.name), host.name))


def containers(*labels: str) -> list[dict[str, Any]]:
    """What podman knows of every container that has these labels, or of all containers."""
    filters = [f"--filter=label={label}" for label in labels]
    for last in (False, False, False, False, True):
        names = podman("ps", "--all", *filters, "--format", "{{.Names}}").stdout.decode().split()
        if not names:
            break
        # Another lab's host may be removed between the two.
        done = podman("inspect", "--type=container", *names, check=last)
        if not done.returncode:
            found: list[dict[str, Any]] = json.loads(done.stdout)
            return found
    return []


def remove_abandoned() -> list[str]:
    """Remove the hosts whose state directory is gone: nobody has their key; returns their names."""
    gone = [
        container["Name"]
        for container in containers(LABEL)
        if abandoned(container["Config"]["Labels"].get(OWNER, "/"))
    ]
    remove(gone)
    return gone


def abandoned(owner: str) -> bool:
    """Whether a state directory is gone, and with it the keys of its labs."""
    return not (Path(owner) / "labs").is_dir()


def remove(names: list[str]) -> None:
    """Remove containers at once, running or not."""
    if names:
        podman("rm", "--force", "--time", "0", *names)


def _describe(container: dict[str, Any]) -> LabHost:
    labels = container["Config"]["Labels"]
    network = container["NetworkSettings"]
    address, port, mac = "", SSH_PORT, ""
    for attached in (network.get("Networks") or {}).values():
        address, mac = attached["IPAddress"], attached["MacAddress"]
    for binding in network.get("Ports", {}).get("22/tcp") or []:
        address, port = binding["HostIp"] or "127.0.0.1", int(binding["HostPort"])
    return LabHost(
        name=container["Config"]["Hostname"],
        container=container["Name"],
        lab=labels[LABEL],
        image=labels[f"{LABEL}.image"],
        state=container["State"]["Status"],
        address=address,
        port=port,
        mac=mac,
        user=images.USER,
        key_file=key_file(labels[LABEL]),
    )


def down(lab: str) -> list[str]:
    """Remove a lab's hosts and its key; returns the names of the hosts that were removed.

    Raises:
        ToolkitError: no lab can have this name.
    """
    refuse_name(lab)
    hosts = listing(lab)
    remove([host.container for host in hosts])
    shutil.rmtree(key_file(lab).parent, ignore_errors=True)
    return [host.name for host in hosts]
