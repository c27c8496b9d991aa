"""Commands for a person to type, that reach a host with the inventory's user, port, key and arguments."""

from __future__ import annotations

import shlex
from typing import Any

from toolkit.cluster.access import Access
from toolkit.hosts import ssh_config
from toolkit.hosts.problem import Login


def login(access: Access, *options: str) -> str:
    """The ssh command that leads to a host, with further options of ssh."""
    return _login(access).with_options(shlex.join(options))


def as_root(access: Access, command: str) -> str:
    """What to type to run a command on a host as root: by SSH, or here where the host is this machine."""
    return _login(access).typed(f"sudo {command}", quoted=shlex.join(command.split()) != command)


def journal(access: Access, component: str) -> str:
    """What to type to read what a component's unit says."""
    return as_root(access, f"journalctl -u airflow-{component}")


def parts(access: Access) -> dict[str, Any]:
    """What Login knows of the way that `ssh` goes by the inventory."""
    user = f"{access.user}@" if access.user else ""
    return {
        "key": str(access.key_file or ""),
        "arguments": shlex.join(ssh_config.arguments(access)),
        "target": f"{user}{access.address}",
    }


def _login(access: Access) -> Login:
    return Login(access.name, access.user or "", access.address, access.port or 22,
                 local=access.local, **parts(access))  # fmt: skip
