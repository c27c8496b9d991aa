"""Text that ansible-vault encrypts: opened and written with the passwords that Ansible would use.

Ansible's own library does it; importing that takes a quarter of a second, so only when a value is
needed.
"""

from __future__ import annotations

import configparser
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit.cluster.yamlfile import decoded
from toolkit.content import expanded
from toolkit.errors import Location, ToolkitError

PASSWORD_VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"
IDENTITIES_VARIABLE = "ANSIBLE_VAULT_IDENTITY_LIST"
DEFAULT_ID = "default"
"""The vault id of a password that has none."""


def vault_file(directory: Path) -> Path:
    """The file that generated secrets are stored in, unless group_vars/all leaves no room for it."""
    return directory / "group_vars" / "all" / "vault.yml"


def vault_password_file(directory: Path) -> Path:
    """The vault's password: the file that Ansible is told of, else one beside the inventory."""
    own = Passwords(directory)
    return next((one.file for one in own.identities if one.label == DEFAULT_ID), own.file)


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


@dataclass(frozen=True)
class Identity:
    """A vault id and the file, or program, that knows its password."""

    label: str
    file: Path

    def __str__(self) -> str:
        return f"{self.label}@{self.file}"


class Passwords:
    """The vault passwords of an inventory, read once and only when they are needed.

    They are those that Ansible would use (its environment variables, or the ansible.cfg that it would
    read), and the file `.vault-password` beside the inventory.

    Args:
        home: the inventory's directory.
    """

    def __init__(self, home: Path) -> None:
        self.file = home / ".vault-password"
        """The inventory's own password, made with the first secret when there is none at all."""
        self._plain: dict[str, str] = {}

    @property
    def identities(self) -> tuple[Identity, ...]:
        """Where the passwords are, in Ansible's order."""
        found = [*_named(), *([Identity(DEFAULT_ID, self.file)] if self.file.exists() else [])]
        return tuple(dict.fromkeys(found))

    def known(self) -> list[tuple[str, str]]:
        """Vault id and password of each, for a program of ours; bytes as Latin-1."""
        secrets = self._vault.secrets if self.identities else []
        return [(label, secret.bytes.decode("latin-1")) for label, secret in secrets]

    def decrypt(self, text: str, where: Location) -> str:
        """The plain text of something encrypted.

        Raises:
            ToolkitError: no password is known, or none of them opens it.
        """
        if text not in self._plain:  # each takes 10 ms
            self._plain[text] = self._opened(text, where)[0]
        return self._plain[text]

    def encrypt(self, text: str, like: str = "", where: Location | None = None) -> str:
        """A text, encrypted; the first one makes the inventory's own password, if there is none.

        Args:
            like: the encrypted text that it replaces: it keeps its vault id and password.
            where: the place of `like`.

        Raises:
            ToolkitError: no password opens `like`.
        """
        if not self.identities:
            write_private(self.file, secrets.token_urlsafe(32) + "\n")
            self.__dict__.pop("_vault", None)
        secret, label = self._secrets(where)[0][1], self.identities[0].label
        if like and where:
            secret, label = self._opened(like, where)[1], _label(like)
        # A label in the header is for those who use labels; the format without one is older.
        kept = None if label == DEFAULT_ID else label
        encrypted: bytes = self._vault.encrypt(text, secret=secret, vault_id=kept)
        return encrypted.decode()

    def _opened(self, text: str, where: Location) -> tuple[str, Any]:
        """The plain text, and the secret that opened it."""
        known = self._secrets(where)
        from ansible.errors import AnsibleError

        try:
            plain, _, secret = self._vault.decrypt_and_get_vault_id(text.strip())
        except (AnsibleError, ValueError):
            names = ", ".join(map(str, self.identities))
            raise ToolkitError(
                f"the password in {self.identities[0].file} does not open it"
                if len(known) == 1
                else f"none of the vault passwords opens it ({names})",
                where=where,
                fix=f"export {PASSWORD_VARIABLE}=FILE with the right one, "
                f"or {IDENTITIES_VARIABLE}=LABEL@FILE",
            ) from None
        return decoded(plain, where.path), secret

    def _secrets(self, where: Location | None) -> list[tuple[str, Any]]:
        if not self.identities:
            raise ToolkitError(
                f"the vault password file {self.file} is missing, so the secrets cannot be read",
                where=where,
                fix=f"put the password there, or export {PASSWORD_VARIABLE}=FILE",
            )
        known: list[tuple[str, Any]] = self._vault.secrets
        return known

    @cached_property
    def _vault(self) -> Any:
        """Ansible's reader and writer, with all passwords: files are read, programs are run."""
        from ansible.parsing.vault import VaultLib

        found, problems = [], []
        for identity in self.identities:
            try:
                found.append((identity.label, _secret(identity)))
            except ToolkitError as problem:  # as Ansible: another one may do
                problems.append(problem)
        if problems and not found:
            raise problems[0]
        return VaultLib(found)


def _label(encrypted: str) -> str:
    """The vault id in the first line of something encrypted."""
    parts = encrypted.strip().partition("\n")[0].split(";")
    return parts[3].strip() if len(parts) > 3 else DEFAULT_ID


def _secret(identity: Identity) -> Any:
    from ansible.errors import AnsibleError
    from ansible.parsing.dataloader import DataLoader
    from ansible.parsing.vault import get_file_vault_secret

    try:
        secret = get_file_vault_secret(str(identity.file), identity.label, loader=DataLoader())
        secret.load()
    except (AnsibleError, OSError) as error:
        raise ToolkitError(
            f"the vault password cannot be had: {str(error).splitlines()[0]}",
            where=str(identity.file),
            fix="a file with the password, or an executable program that prints it; "
            f"export {PASSWORD_VARIABLE}=FILE names another one",
        ) from None
    return secret


def _named() -> Iterator[Identity]:
    """What Ansible's environment variables name, or its configuration file."""
    configured = _configured()
    identities = os.environ.get(IDENTITIES_VARIABLE) or configured.get("vault_identity_list") or ""
    for text in filter(None, map(str.strip, identities.split(","))):
        label, separator, file = text.rpartition("@")
        if file in ("prompt", "prompt_ask_vault_pass"):
            raise ToolkitError(
                f"the vault id {text} asks for a password on a terminal, and Ansible would ask again",
                where=IDENTITIES_VARIABLE,
                fix=f"put the password into a file: {IDENTITIES_VARIABLE}={label or 'LABEL'}@FILE",
            )
        yield Identity(label if separator and label else DEFAULT_ID, _path(file))
    file = os.environ.get(PASSWORD_VARIABLE) or configured.get("vault_password_file") or ""
    if file:
        yield Identity(DEFAULT_ID, _path(file))


def _path(text: str) -> Path:
    # Not resolved: a program may read what lies beside its link.
    return Path.cwd() / expanded(os.path.expandvars(text))


def _configured() -> dict[str, str]:
    """The vault passwords of the ansible.cfg that plain Ansible would read here.

    Source: ansible.config.manager.find_ini_config_file.
    """
    named = os.environ.get("ANSIBLE_CONFIG")
    places = [named, "ansible.cfg", "~/.ansible.cfg", "/etc/ansible/ansible.cfg"]
    found = (expanded(place).absolute() for place in places if place)
    path = next((place for place in found if place.is_file()), None)
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read([path] if path else [], encoding="utf-8")
    except (configparser.Error, UnicodeError):
        return {}
    section = dict(parser["defaults"]) if parser.has_section("defaults") else {}
    names = ("vault_identity_list", "vault_password_file")
    return {
        name: _beside(section[name], path.parent)
        for name in names
        if path and section.get(name, "").strip()
    }


def _beside(texts: str, folder: Path) -> str:
    """Paths of a configuration file are relative to it."""

    def beside(text: str) -> str:
        label, separator, file = text.strip().rpartition("@")
        return f"{label}{separator}{folder / expanded(file)}"

    return ",".join(beside(text) for text in texts.split(",") if text.strip())
