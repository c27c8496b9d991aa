"""The cluster's secrets: generated once, stored in an ansible-vault file, masked everywhere else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from toolkit.cluster import vaulttext
from toolkit.cluster.login import BECOME_PASSWORDS
from toolkit.cluster.model import Cluster
from toolkit.cluster.specs import load_specs
from toolkit.cluster.variables import File, HostListVault, Variable
from toolkit.cluster.vaultfile import write_private
from toolkit.cluster.yamlfile import is_template
from toolkit.errors import Location

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
    """Generate the secrets that the inventory lacks, and store them encrypted."""
    update(cluster, missing(cluster))


def update(cluster: Cluster, changes: Mapping[str, str | None]) -> None:
    """Set generated variables, or remove those that are None; everything else stays as it is written.

    Raises:
        ToolkitError: the password is missing or wrong.
    """
    before, file = stored(cluster), cluster.vault
    new = {name: value for name, value in changes.items() if value != before.get(name)}
    if new:
        write_private(file.path, _changed(cluster, file, new))
        file.forget()


def _changed(cluster: Cluster, file: File, changes: Mapping[str, str | None]) -> str:
    """The new content of the file for generated secrets, in the form that it has already."""
    passwords, place = cluster.sources.passwords, Location(file.path)
    old = file.path.read_text(encoding="utf-8") if file.path.exists() else ""
    if isinstance(file, HostListVault):
        render = vaulttext.inline(passwords.encrypt)
        return vaulttext.edited(old or _HOST_LIST, changes, render, ("all", "vars"))
    if old and not file.encrypted:
        return vaulttext.edited(old, changes, vaulttext.inline(passwords.encrypt))
    return passwords.encrypt(
        vaulttext.edited(file.text() if old else "", changes, vaulttext.plain), old, place
    )


_HOST_LIST = "# Secrets that the toolkit generated. They are here because group_vars/all has no room for them.\nall:\n  vars:\n"


def values(cluster: Cluster) -> list[str]:
    """Every secret value, longest first, for masking."""
    variables = [*cluster.variables, *_evaluated(cluster)]
    found = {text for variable in variables for text in _hidden(variable) if text}
    return sorted(found, key=len, reverse=True)


def _evaluated(cluster: Cluster) -> Iterator[Variable]:
    """What secrets come to that are written as templates, on each host."""
    names = {one.name for one in cluster.variables if is_template(one.value) and any(_hidden(one))}
    for host in cluster.all_hosts:
        for name in names:
            value = host.variables.get(name)
            yield Variable(name, value, Location(cluster.directory), host.name, secret=True)


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
