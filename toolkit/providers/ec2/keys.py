"""The key pair to log in with: made here, so that its private half never travels."""

from __future__ import annotations

import subprocess
from pathlib import Path

from toolkit.errors import ToolkitError
from toolkit.providers.ec2.config import Config


def public_half(config: Config) -> str | None:
    """The public key beside the private one; None while the toolkit has yet to make both.

    Raises:
        ToolkitError: the user's key, or its public half, is not there.
    """
    path = _public(config.key_file)
    if config.key_file.is_file() and path.is_file():
        return path.read_text(encoding="utf-8").strip()
    if config.makes_key and not config.key_file.exists():
        return None
    if not config.key_file.is_file():
        raise ToolkitError(
            f"there is no private key {config.key_file}",
            where=str(config.path),
            fix="correct key_file, or remove it to have a key made",
            id="ec2.key",
        )
    raise ToolkitError(
        f"there is no {path}, the public half of the key",
        where=str(config.path),
        fix=f"ssh-keygen -y -f {config.key_file} > {path}",
        id="ec2.key",
    )


def ensure(config: Config) -> str:
    """The public key, after making both halves where that is the toolkit's to do."""
    found = public_half(config)
    if found is None:
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"toolkit {config.name}",
             "-f", str(config.key_file)],
            check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found = _public(config.key_file).read_text(encoding="utf-8").strip()
    return found


def _public(key: Path) -> Path:
    return key.with_name(key.name + ".pub")
