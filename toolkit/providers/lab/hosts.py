"""Lab hosts up, listed and down. A lab is a name, a key pair and one or more containers.

A lab belongs to the state directory that has its key: labs of the same name from two of them (two
checkouts that run their tests, say) do not meet.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.cluster.hosts_file import hosts_text
from toolkit.content import state_dir
from toolkit.errors import ToolkitError
from toolkit.providers.lab import images
from toolkit.providers.lab.machine import podman, prepared

LABEL = "toolkit.lab"
OWNER = "toolkit.state"
BOOT_TIMEOUT = 60
"""Seconds that a host may take until sshd answers."""
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")


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
    user: str
    key_file: Path


def refuse_name(lab: str) -> None:
    """Raise a ToolkitError when a lab cannot have this name.

    Host names are made from it, and what `down` deletes: a path would lead out of the toolkit's
    directory, and to podman a label filter with an empty value means every lab.
    """
    if not _NAME.fullmatch(lab):
        raise ToolkitError(
            f"{lab!r} cannot be a lab's name",
            fix="use lower-case letters, digits and hyphens, beginning with a letter",
        )


def _key_file(lab: str) -> Path:
    return state_dir() / "labs" / lab / "id_ed25519"


def listing(lab: str | None = None) -> list[LabHost]:
    """Every lab host of this state directory, or of one lab, in the order of their numbers."""
    label = LABEL if lab is None else f"{LABEL}={lab}"
    found = _containers(label, f"{OWNER}={state_dir()}")
    hosts = [_describe(container) for container in found]
    return sorted(hosts, key=lambda host: (host.lab, len(host.name), host.name))


def _containers(*labels: str) -> list[dict[str, Any]]:
    filters = [f"--filter=label={label}" for label in labels]
    names = podman("ps", "--all", *filters, "--format", "{{.Names}}").stdout.decode().split()
    if not names:
        return []
    found: list[dict[str, Any]] = json.loads(podman("inspect", "--type=container", *names).stdout)
    return found


def remove_abandoned() -> list[str]:
    """Remove the hosts whose state directory is gone: nobody has their key; returns their names."""
    gone = [
        container["Name"]
        for container in _containers(LABEL)
        if not Path(container["Config"]["Labels"].get(OWNER, "/")).joinpath("labs").is_dir()
    ]
    _remove(gone)
    return gone


def _remove(containers: list[str]) -> None:
    if containers:
        podman("rm", "--force", "--time", "0", *containers)


def _describe(container: dict[str, Any]) -> LabHost:
    labels = container["Config"]["Labels"]
    network = container["NetworkSettings"]
    address, port = next((n["IPAddress"] for n in network["Networks"].values()), ""), 22
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
        user=images.USER,
        key_file=_key_file(labels[LABEL]),
    )


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
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: _run(name, lab, image, reference), missing))
            stopped = [host.container for host in present.values() if host.state != "running"]
            list(pool.map(lambda name: podman("start", name), stopped))
            ready = listing(lab)
            list(pool.map(lambda host: _make_reachable(host, ready), ready))
    except BaseException:
        with contextlib.suppress(ToolkitError):
            _remove([host.container for host in listing(lab) if host.name in missing])
        raise
    if inventory is not None:
        _write_inventory(inventory, ready)
    return ready


def _refuse_other_image(present: list[LabHost], image: str) -> None:
    for host in present:
        if host.image != image:
            raise ToolkitError(
                f"lab host {host.name} boots {host.image}, not {image}; nothing was changed",
                fix=f"choose another lab with --name, or first: toolkit lab down {host.lab}",
            )


def _make_key(lab: str) -> None:
    key = _key_file(lab)
    if not key.exists():
        key.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"lab {lab}", "-f", str(key)],
            check=True,
            stdin=subprocess.DEVNULL,
        )


def _run(name: str, lab: str, image: str, reference: str) -> None:
    owner = str(state_dir())
    container = f"{name}-{hashlib.sha256(owner.encode()).hexdigest()[:8]}"
    labels = [f"--label={key}={value}" for key, value in
              {LABEL: lab, f"{LABEL}.image": image, OWNER: owner}.items()]  # fmt: skip
    podman("run", "--detach", "--name", container, "--hostname", name, *labels,
           *prepared().run_options(), reference, "/sbin/init")  # fmt: skip


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


def _make_reachable(host: LabHost, lab: list[LabHost]) -> None:
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


def down(lab: str) -> list[str]:
    """Remove a lab's hosts and its key; returns the names of the hosts that were removed.

    Raises:
        ToolkitError: no lab can have this name.
    """
    refuse_name(lab)
    hosts = listing(lab)
    _remove([host.container for host in hosts])
    shutil.rmtree(_key_file(lab).parent, ignore_errors=True)
    return [host.name for host in hosts]


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
