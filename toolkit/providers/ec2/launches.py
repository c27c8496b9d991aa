"""Client tokens: an instance whose launch was interrupted is not launched a second time.

Tags find what exists, but for some seconds after a launch AWS may not show the instance yet. With
the same token it answers a repeated launch with the first one's instance. So the token is written
down before the call, and forgotten once the instance has been seen.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from toolkit.cluster.vaultfile import write_private
from toolkit.run.record import cluster_state


class Launches:
    """The launches of a cluster whose instances have not been seen yet.

    Args:
        directory: the cluster's inventory directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = cluster_state(directory) / "ec2-launches.json"

    def token(self, host: str, arguments: Mapping[str, Any]) -> str:
        """The client token for launching a host with these arguments of RunInstances.

        AWS refuses a token that comes back with other arguments, so they are part of it.
        """
        pending = self._read()
        if host not in pending:
            pending[host] = secrets.token_hex(16)
            self._write(pending)
        text = pending[host] + json.dumps(arguments, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def forget(self, hosts: Iterable[str]) -> None:
        """Their instances have been seen, or have ended: the next launch is another one."""
        pending = self._read()
        left = {host: nonce for host, nonce in pending.items() if host not in set(hosts)}
        if left != pending:
            self._write(left)

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        found: dict[str, str] = json.loads(self._path.read_text(encoding="utf-8"))
        return found

    def _write(self, pending: Mapping[str, str]) -> None:
        write_private(self._path, json.dumps(pending))
