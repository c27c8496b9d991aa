"""Host keys: accepted the first time, stored, and compared from then on."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


def ssh_option(path: Path) -> str:
    """The arguments that make `ssh` look for host keys in this file, quoted for a shell."""
    # The inner quotes are for ssh: it takes several files, with spaces in between.
    return "-o " + shlex.quote(f'UserKnownHostsFile="{path}"')


class Trust:
    """The known_hosts file of a cluster, which OpenSSH reads as well when Ansible connects.

    Paramiko asks `missing_host_key` about a host that the file does not name; a key that differs
    from the one in the file it refuses by itself, before any login.

    Args:
        path: the file; made when the first key is accepted.
        say: called with a line for every key that is accepted.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self.path = path
        self._say = say
        self._lock = threading.Lock()

    def apply(self, client: Any, place: str = "", alias: str = "", *, check: bool = True) -> None:
        """Let a paramiko client know the accepted keys, and ask here about new ones.

        Args:
            place: the name that paramiko looks for.
            alias: the name that the host has in the file (HostKeyAlias); "" for the same.
            check: False accepts every key and remembers none, as host_key_checking=false has it.
        """
        if not check:
            client.set_missing_host_key_policy(_Anyone())
            return
        if self.path.exists():
            client.load_host_keys(str(self.path))
        keys = client.get_host_keys()
        for kind, key in (keys.lookup(alias) or {}).items() if alias else ():
            keys.add(place, kind, key)
        client.set_missing_host_key_policy(_As(self, alias) if alias else self)

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:  # noqa: ARG002
        """Accept a host's first key (called by paramiko)."""
        with self._lock:
            self._append(f"{hostname} {key.get_name()} {key.get_base64()}\n")
        self._say(
            f"{hostname}: accepted its host key on first use: {key.get_name()} {key.fingerprint}"
        )

    def _append(self, line: str) -> None:
        # One write at the end of the file: a reader sees all of the line or nothing, and of two
        # runs at once neither loses a line, as replacing the whole file could.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "rb+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = "\n" + line
            file.write(line.encode())


@dataclass(frozen=True)
class _As:
    """Accepts a first key under another name than the host's address."""

    trust: Trust
    alias: str

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:  # noqa: ARG002
        self.trust.missing_host_key(client, self.alias, key)


class _Anyone:
    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        pass
