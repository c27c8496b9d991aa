"""Files that ansible-vault encrypts as a whole: opened, written, and where their password is.

Ansible's own library does it; importing that takes half a second, so only when a value is needed.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any

from toolkit.cluster.yamlfile import decoded, read_bytes
from toolkit.content import expanded
from toolkit.errors import ToolkitError

PASSWORD_VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"


def vault_file(directory: Path) -> Path:
    """The file that generated secrets are stored in."""
    return directory / "group_vars" / "all" / "vault.yml"


def vault_password_file(directory: Path) -> Path:
    """The vault's password: the file Ansible's own variable names, else one beside the inventory."""
    named = os.environ.get(PASSWORD_VARIABLE)
    return expanded(named) if named else directory / ".vault-password"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        error.filename = str(path)  # a full disk does not say of which file
        raise


def read_encrypted(path: Path, directory: Path) -> str:
    """The text of an encrypted file of an inventory directory.

    Raises:
        ToolkitError: the password is missing or wrong.
    """
    vault = _vault(path, directory)
    from ansible.errors import AnsibleError

    try:
        text: bytes = vault.decrypt(read_bytes(path))
    except (AnsibleError, ValueError):
        raise ToolkitError(
            f"the password in {vault_password_file(directory)} does not open it",
            where=str(path),
            fix=f"export {PASSWORD_VARIABLE}=FILE with the right one",
        ) from None
    return decoded(text, path)


def write_encrypted(path: Path, directory: Path, text: str) -> None:
    """Write an encrypted file of an inventory directory; the first one makes the password too."""
    password = vault_password_file(directory)
    if not password.exists():
        write_private(password, secrets.token_urlsafe(32) + "\n")
    encrypted: bytes = _vault(path, directory).encrypt(text)
    write_private(path, encrypted.decode())


def _vault(path: Path, directory: Path) -> Any:
    """Ansible's vault reader and writer with this inventory's password."""
    file = vault_password_file(directory)
    if not file.exists():
        raise ToolkitError(
            f"the vault password file {file} is missing, so the secrets cannot be read",
            where=str(path),
            fix=f"put the password there, or export {PASSWORD_VARIABLE}=FILE",
        )
    from ansible.parsing.vault import VaultLib, VaultSecret

    password = read_bytes(file).strip()
    if not password:
        raise ToolkitError(
            "this vault password file is empty",
            where=str(file),
            fix=f"put the password there, or export {PASSWORD_VARIABLE}=FILE",
        )
    return VaultLib([("default", VaultSecret(password))])
