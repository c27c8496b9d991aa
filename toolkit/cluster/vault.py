"""The cluster's secrets: generated once, kept in an ansible-vault file, masked everywhere else."""

from __future__ import annotations

import base64
import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster.model import Cluster
from toolkit.cluster.yamlfile import is_vaulted, parse_mapping
from toolkit.errors import ToolkitError

VAULT_PASSWORD_VARIABLE = "ANSIBLE_VAULT_PASSWORD_FILE"
MASK = "********"


def _token() -> str:
    """24 random bytes as text; never like an option, as people hand passwords to commands."""
    while (token := secrets.token_urlsafe(24)).startswith("-"):
        pass
    return token


def _fernet_key() -> str:
    """32 random bytes in URL-safe base64, as cryptography.fernet wants them."""
    return base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()


GENERATED: Mapping[str, Callable[[], str]] = {
    "metadata_db_password": _token,
    # ElastiCache takes no underscore.
    "broker_password": lambda: secrets.token_hex(24),
    "airflow_fernet_key": _fernet_key,
    "airflow_secret_key": _token,
    "airflow_jwt_secret": lambda: secrets.token_urlsafe(48),
    "airflow_admin_password": _token,
    "airflow_canary_password": _token,
}
"""Every secret that is made when the inventory has none, and how."""


def vault_file(directory: Path) -> Path:
    """The file that generated secrets stand in."""
    return directory / "group_vars" / "all" / "vault.yml"


def vault_password_file(directory: Path) -> Path:
    """The vault's password: the file Ansible's own variable names, else one beside the inventory."""
    named = os.environ.get(VAULT_PASSWORD_VARIABLE)
    return Path(named).expanduser() if named else directory / ".vault-password"


def _vault(directory: Path, create: bool = False) -> Any:
    """Ansible's vault reader and writer with this inventory's password."""
    from ansible.parsing.vault import VaultLib, VaultSecret

    path = vault_password_file(directory)
    if not path.exists() and create:
        write_private(path, secrets.token_urlsafe(32) + "\n")
    if not path.exists():
        raise ToolkitError(
            f"the vault password file {path} is missing, so the secrets cannot be read",
            where=str(vault_file(directory)),
            fix=f"put the password there, or export {VAULT_PASSWORD_VARIABLE}=FILE",
        )
    return VaultLib([("default", VaultSecret(path.read_bytes().strip()))])


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def read_vault(cluster: Cluster) -> dict[str, Any]:
    """The variables of vault.yml, decrypted; {} when there is none yet.

    Raises:
        ToolkitError: the password is missing or wrong.
    """
    path = vault_file(cluster.directory)
    if not path.exists():
        return {}
    text = path.read_text(encoding="utf-8")
    if is_vaulted(path):
        from ansible.errors import AnsibleError

        try:
            text = _vault(cluster.directory).decrypt(text).decode()
        except AnsibleError:
            raise ToolkitError(
                f"the password in {vault_password_file(cluster.directory)} does not open it",
                where=str(path),
                fix=f"export {VAULT_PASSWORD_VARIABLE}=FILE with the right one",
            ) from None
    return {name: value for name, (value, _) in parse_mapping(text, path).items()}


def missing(cluster: Cluster) -> dict[str, str]:
    """Fresh values for the secrets that the inventory lacks."""
    known = set(read_vault(cluster)) | {variable.name for variable in cluster.variables}
    return {name: generate() for name, generate in GENERATED.items() if name not in known}


def ensure(cluster: Cluster) -> None:
    """Generate the secrets that the inventory lacks, and encrypt them."""
    path, fresh = vault_file(cluster.directory), missing(cluster)
    if fresh or not is_vaulted(path):
        _write_vault(cluster, read_vault(cluster) | fresh)


def update(cluster: Cluster, changes: Mapping[str, str | None]) -> None:
    """Set variables of vault.yml, or remove those that are None; a file that has it all is left alone."""
    vault = read_vault(cluster)
    kept = {name: value for name, value in vault.items() if name not in changes}
    wanted = kept | {name: value for name, value in changes.items() if value is not None}
    if wanted != vault:
        _write_vault(cluster, wanted)


def _write_vault(cluster: Cluster, variables: Mapping[str, Any]) -> None:
    text = yaml.safe_dump(dict(variables), sort_keys=True)
    encrypted = _vault(cluster.directory, create=True).encrypt(text).decode()
    write_private(vault_file(cluster.directory), encrypted)


def values(cluster: Cluster) -> list[str]:
    """Every secret value, longest first, for masking."""
    found = {str(value) for name, value in read_vault(cluster).items() if _worth_masking(value)}
    found |= {user["password"] for user in _users(cluster) if "password" in user}
    return sorted(found, key=len, reverse=True)


def _worth_masking(value: Any) -> bool:
    return isinstance(value, str) and len(value) >= 6


def _users(cluster: Cluster) -> list[dict[str, Any]]:
    users = read_vault(cluster).get("airflow_users") or cluster.setting("airflow_users") or []
    return [user for user in users if isinstance(user, dict)]


def mask(text: str, hidden: list[str]) -> str:
    """The text with every secret value replaced."""
    for value in hidden:
        text = text.replace(value, MASK)
    return text
