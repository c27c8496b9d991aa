"""The cluster's secrets: generated once, stored in an ansible-vault file, masked everywhere else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster.login import BECOME_PASSWORDS
from toolkit.cluster.model import Cluster
from toolkit.cluster.specs import load_specs
from toolkit.cluster.variables import Variable
from toolkit.cluster.vaultfile import write_encrypted
from toolkit.errors import ToolkitError

MASK = "********"
_WORTH_MASKING = 6
"""Characters; what is shorter would be replaced all over a text."""


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
    # No secret: it says which cluster a host belongs to, and has to last as long as the secrets.
    "base_cluster_id": lambda: secrets.token_hex(8),
}
"""Every secret that is made when the inventory has none, and how."""


def stored(cluster: Cluster) -> dict[str, Any]:
    """The variables of vault.yml; {} when there is none yet.

    Raises:
        ToolkitError: the password is missing or wrong.
    """
    return {name: variable.value for name, variable in cluster.vault.variables().items()}


def missing(cluster: Cluster) -> dict[str, str]:
    """Fresh values for the secrets that the inventory lacks."""
    known = {variable.name for variable in cluster.variables}
    return {name: generate() for name, generate in GENERATED.items() if name not in known}


def ensure(cluster: Cluster) -> None:
    """Generate the secrets that the inventory lacks, and encrypt them."""
    fresh, file = missing(cluster), cluster.vault
    if fresh or (file.path.exists() and not file.encrypted):
        _write(cluster, stored(cluster) | fresh)


def update(cluster: Cluster, changes: Mapping[str, str | None]) -> None:
    """Set variables of vault.yml, or remove those that are None; a file that has it all is left alone."""
    before = stored(cluster)
    kept = {name: value for name, value in before.items() if name not in changes}
    wanted = kept | {name: value for name, value in changes.items() if value is not None}
    if wanted != before:
        _write(cluster, wanted)


def _write(cluster: Cluster, variables: Mapping[str, Any]) -> None:
    file = cluster.vault
    _refuse_hiding(file.path.parent)
    write_encrypted(file.path, cluster.directory, yaml.safe_dump(dict(variables), sort_keys=True))
    file.forget()


def _refuse_hiding(folder: Path) -> None:
    """Ansible reads a folder alone, and not the file of variables beside it."""
    for ending in (".yml", ".yaml", ".json", ""):
        beside = folder.with_name(folder.name + ending)
        if beside.is_file():
            raise ToolkitError(
                f"secrets are stored in the folder {folder}, beside which Ansible would no longer "
                f"read {beside.name}",
                where=str(beside),
                fix=f"mv {beside} {beside}.tmp && mkdir {folder} && mv {beside}.tmp {folder}/airflow.yml",
            )


def values(cluster: Cluster) -> list[str]:
    """Every secret value, longest first, for masking."""
    found = {text for variable in cluster.variables for text in _hidden(variable) if text}
    return sorted(found, key=len, reverse=True)


def _hidden(variable: Variable) -> Iterator[str]:
    """What must not be seen of a variable."""
    spec = load_specs().get(variable.name)
    if variable.name == "airflow_users" and isinstance(variable.value, list):
        users = (user for user in variable.value if isinstance(user, dict))
        yield from (str(user["password"]) for user in users if "password" in user)
    elif variable.secret or (spec and spec.secret) or variable.name in BECOME_PASSWORDS:
        yield from (text for text in _texts(variable.value) if len(text) >= _WORTH_MASKING)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for part in inner:
        yield from _texts(part)


def mask(text: str, hidden: list[str]) -> str:
    """The text with every secret value replaced."""
    for value in hidden:
        text = text.replace(value, MASK)
    return text
