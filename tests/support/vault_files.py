"""Encrypted files of an inventory, as a user would have them."""

from __future__ import annotations

from pathlib import Path

from toolkit.cluster.vaultfile import Passwords, write_private
from toolkit.cluster.yamlfile import is_vaulted
from toolkit.errors import Location


def write_encrypted(path: Path, directory: Path, text: str) -> None:
    """Write an encrypted file of an inventory directory, whose vault id it keeps."""
    old = path.read_text(encoding="utf-8") if path.exists() and is_vaulted(path) else ""
    write_private(path, Passwords(directory).encrypt(text, old, Location(path)))
