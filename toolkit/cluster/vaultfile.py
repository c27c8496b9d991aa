"""Files that ansible-vault encrypts as a whole: opened, written, and where their password is.

Importing Ansible's own reader takes half a second; this one takes 40 ms, most of which SSH needs
as well. The format is Ansible's (docs: "Format of files encrypted with Ansible Vault").
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from binascii import hexlify, unhexlify
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError

HEADER = "$ANSIBLE_VAULT;1.1;AES256"
PASSWORD_VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"

_ITERATIONS = 10_000
_KEY, _BLOCK = 32, 16
_WIDTH = 80


def vault_file(directory: Path) -> Path:
    """The file that generated secrets are stored in."""
    return directory / "group_vars" / "all" / "vault.yml"


def vault_password_file(directory: Path) -> Path:
    """The vault's password: the file Ansible's own variable names, else one beside the inventory."""
    named = os.environ.get(PASSWORD_VARIABLE)
    return Path(named).expanduser() if named else directory / ".vault-password"


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def read_encrypted(path: Path, directory: Path) -> str:
    """The text of an encrypted file of an inventory directory.

    Raises:
        ToolkitError: the password is missing or wrong.
    """
    try:
        return decrypt(path.read_text(encoding="utf-8"), _password(path, directory))
    except ValueError:
        raise ToolkitError(
            f"the password in {vault_password_file(directory)} does not open it",
            where=str(path),
            fix=f"export {PASSWORD_VARIABLE}=FILE with the right one",
        ) from None


def write_encrypted(path: Path, directory: Path, text: str) -> None:
    """Write an encrypted file of an inventory directory; the first one makes the password too."""
    password = vault_password_file(directory)
    if not password.exists():
        write_private(password, secrets.token_urlsafe(32) + "\n")
    write_private(path, encrypt(text, _password(path, directory)))


def _password(path: Path, directory: Path) -> bytes:
    file = vault_password_file(directory)
    if not file.exists():
        raise ToolkitError(
            f"the vault password file {file} is missing, so the secrets cannot be read",
            where=str(path),
            fix=f"put the password there, or export {PASSWORD_VARIABLE}=FILE",
        )
    return file.read_bytes().strip()


def decrypt(text: str, password: bytes) -> str:
    """What an ansible-vault text says.

    Raises:
        ValueError: it is none, or the password is another one.
    """
    salt, digest, encrypted = map(unhexlify, unhexlify("".join(text.split()[1:])).split(b"\n"))
    cipher, authentic = _keys(password, salt)
    if not hmac.compare_digest(_digest(authentic, encrypted), digest):
        raise ValueError("the password does not fit")
    decryptor = cipher.decryptor()
    padded: bytes = decryptor.update(encrypted) + decryptor.finalize()
    return padded[: -padded[-1]].decode()


def encrypt(text: str, password: bytes) -> str:
    """A text as ansible-vault encrypts it."""
    salt, plain = secrets.token_bytes(32), text.encode()
    cipher, authentic = _keys(password, salt)
    padding = _BLOCK - len(plain) % _BLOCK
    encryptor = cipher.encryptor()
    encrypted = encryptor.update(plain + bytes([padding] * padding)) + encryptor.finalize()
    parts = (salt, _digest(authentic, encrypted), encrypted)
    body = hexlify(b"\n".join(map(hexlify, parts))).decode()
    lines = [body[start : start + _WIDTH] for start in range(0, len(body), _WIDTH)]
    return "\n".join([HEADER, *lines, ""])


def _keys(password: bytes, salt: bytes) -> tuple[Any, bytes]:
    """The cipher, and the key that proves that the password is the right one."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    derived = hashlib.pbkdf2_hmac("sha256", password, salt, _ITERATIONS, 2 * _KEY + _BLOCK)
    cipher = Cipher(algorithms.AES(derived[:_KEY]), modes.CTR(derived[2 * _KEY :]))
    return cipher, derived[_KEY : 2 * _KEY]


def _digest(key: bytes, encrypted: bytes) -> bytes:
    return hmac.digest(key, encrypted, "sha256")
