"""Who runs what, from where: the same words for the lock, the lease and the audit line."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import socket
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True)
class Holder:
    """A run, as others read of it.

    Attributes:
        user: who; behind sudo, who called it.
        machine: the control machine's name.
        command: the command line.
        since: when it began, ISO 8601 in UTC.
        origin: the same for every run on one inventory directory of one machine. There the lock
            lets in one at a time, so whoever has it may take over a lease of the same origin.
        token: of this run alone.
    """

    user: str
    machine: str
    command: str
    since: str
    origin: str
    token: str

    @classmethod
    def of(cls, directory: Path, command: str) -> Holder:
        """The holder that this process is, for an inventory directory."""
        machine = socket.gethostname()
        place = f"{machine} {_machine_id()} {os.getuid()} {directory.resolve()}"
        return cls(
            user=os.environ.get("SUDO_USER") or _user(),
            machine=machine,
            command=command,
            since=datetime.now(UTC).isoformat(timespec="seconds"),
            origin=hashlib.sha256(os.fsencode(place)).hexdigest()[:16],
            token=secrets.token_hex(8),
        )

    def as_json(self) -> dict[str, str]:
        """The holder as plain JSON data."""
        return asdict(self)


def _user() -> str:
    """The user's name; in a container it may have none."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def _machine_id() -> str:
    """See machine-id(5)."""
    path = Path("/etc/machine-id")
    return path.read_text(encoding="ascii").strip() if path.exists() else ""
