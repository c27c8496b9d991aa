"""A lab host's container: made, or started where it was, and reachable over SSH."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Iterable
from pathlib import Path

from toolkit.content import state_dir
from toolkit.errors import ToolkitError
from toolkit.providers.lab.hosts import LABEL, OWNER, SSH_PORT, LabHost, Place, containers, key_file
from toolkit.providers.lab.machine import podman, prepared

BOOT_TIMEOUT = 60
"""Seconds that a host may take until sshd answers."""
STOP_TIMEOUT = 60
"""Seconds that a host's services may take to stop; a task that runs longer is ended."""
_NETWORK = "podman"


def run(name: str, lab: str, image: str, reference: str, place: Place | None = None) -> None:
    """Make a host and let it boot.

    Args:
        image: the name that `lab list` shows.
        reference: podman's name of what it boots.
        place: where it has to be reached, or None for any free address.
    """
    owner = str(state_dir())
    container = f"{name}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"
    labels = [f"--label={key}={value}" for key, value in
              {LABEL: lab, f"{LABEL}.image": image, OWNER: owner}.items()]  # fmt: skip
    podman("run", "--detach", "--name", container, "--hostname", name, *labels,
           *prepared().run_options(), *prepared().network_options(*place or ()),
           reference, "/sbin/init")  # fmt: skip


def stop(host: LabHost) -> None:
    """Let a host's services end in their order, as at a shutdown."""
    podman("stop", "--time", str(STOP_TIMEOUT), host.container, timeout=STOP_TIMEOUT + 60)


def start(host: LabHost) -> None:
    """Start a stopped host where it was: what is installed on the others knows that address."""
    place = _places(host.lab).get(host.name)
    if place and prepared().root:
        refuse_taken({host.name: place})
        podman("network", "disconnect", _NETWORK, host.container, check=False)
        podman("network", "connect", "--ip", place.address, "--mac-address", place.mac,
               _NETWORK, host.container)  # fmt: skip
    podman("start", host.container)


def remember_places(lab: str, hosts: Iterable[LabHost]) -> None:
    """Write down where a lab's hosts are; podman forgets that when it stops one."""
    text = json.dumps({host.name: host.place for host in hosts}, indent=2)
    _places_file(lab).write_text(text + "\n", encoding="utf-8")


def _places_file(lab: str) -> Path:
    return key_file(lab).with_name("places.json")


def _places(lab: str) -> dict[str, Place]:
    path = _places_file(lab)
    if not path.exists():
        return {}
    return {name: Place(*place) for name, place in json.loads(path.read_text()).items()}


def refuse_taken(places: dict[str, Place]) -> None:
    """Raise a ToolkitError when a container that runs has the address of one of these hosts."""
    wanted = {place.address: name for name, place in places.items() if place.port == SSH_PORT}
    for container in containers():
        for attached in (container["NetworkSettings"].get("Networks") or {}).values():
            address = attached["IPAddress"]
            if address in wanted:
                raise ToolkitError(
                    f"{address}, the address of lab host {wanted[address]}, is now that of "
                    f"container {container['Name']}; nothing was changed",
                    fix=f"remove that container, or forget {wanted[address]}: toolkit lab --help",
                )


_SET_UP = """set -e
install -d -m 0700 -o {user} -g {user} /home/{user}/.ssh
cat > /home/{user}/.ssh/authorized_keys
chown {user}: /home/{user}/.ssh/authorized_keys
{{ grep -v '# lab$' /etc/hosts; printf '{others}'; }} > /run/hosts
cat /run/hosts > /etc/hosts
[ -e /etc/ssh/ssh_host_ed25519_key ] || ssh-keygen -A >/dev/null
# A guest that has only begun to boot has no bus yet, and systemctl does not wait for that.
timeout {timeout} sh -c 'until [ -S /run/systemd/private ] && [ -S /run/dbus/system_bus_socket ]; do sleep 0.05; done'
timeout {timeout} systemctl is-system-running --wait >/dev/null || true
systemctl is-active --quiet ssh || {{ systemctl reset-failed ssh; systemctl restart ssh; }}
"""


def make_reachable(host: LabHost, lab: list[LabHost]) -> None:
    """Let the lab's key in, name the other hosts, give sshd its keys; wait until it answers."""
    others = "".join(f"{other.address} {other.name} # lab\\n" for other in lab if other != host)
    script = _SET_UP.format(user=host.user, others=others, timeout=BOOT_TIMEOUT)
    public = host.key_file.with_suffix(".pub").read_bytes()
    podman("exec", "--interactive", host.container, "sh", "-c", script, stdin=public)
    deadline = time.monotonic() + BOOT_TIMEOUT
    while True:
        try:
            with socket.create_connection((host.address, host.port), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise ToolkitError(
                f"lab host {host.name} does not answer on {host.address}:{host.port}",
                fix=f"toolkit lab down {host.lab}, then try again",
            )
        time.sleep(0.1)
