"""Passwords, keys, and the files that they are in; no value is ever repeated."""

from __future__ import annotations

import base64
import binascii
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from toolkit.checks.common import answering, error, host_rule, plan_rule, warning
from toolkit.cluster import Cluster
from toolkit.cluster.host_secrets import differing, wanted_secrets
from toolkit.cluster.login import BECOME_PASSWORDS, PASSWORDS
from toolkit.cluster.passwords import DEFAULT_PASSWORDS, SHORT_PASSWORD
from toolkit.cluster.specs import load_specs
from toolkit.cluster.vault import GENERATED
from toolkit.cluster.vaultfile import vault_file, vault_password_file
from toolkit.cluster.yamlfile import VaultedValue, is_vaulted
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@dataclass(frozen=True)
class _Password:
    """A password; `name` says where it is set, `setting` by which name, `user` whose it is."""

    name: str
    setting: str
    user: str
    value: str


@plan_rule
def passwords(cluster: Cluster) -> Iterator[Finding]:
    """None that scanners try first."""
    for password in _passwords(cluster):
        remedy = (
            f"remove {password.setting}, and a good one is generated"
            if password.setting in GENERATED
            else f"choose another one for {password.setting}: openssl rand -base64 24"
        )
        plain = password.value.lower()
        if is_default(plain, password.user):
            yield error(
                "secrets.default_password",
                host="",
                what=f"{password.name} is one of the passwords that everybody tries first",
                fix=remedy,
            )
        elif len(plain) < SHORT_PASSWORD:
            yield warning(
                "secrets.weak_password",
                host="",
                what=f"{password.name} has {len(plain)} characters",
                fix=remedy,
            )


def is_default(password: str, user: str = "") -> bool:
    """Whether a password is one of the tutorials', or its user's name."""
    return password.lower() in {*DEFAULT_PASSWORDS, user.lower()}


@plan_rule
def fernet_key(cluster: Cluster) -> Iterator[Finding]:
    """One key, or the new one and older ones with commas between."""
    for name, value in _values(cluster):
        if name == "airflow_fernet_key" and not all(map(_is_fernet_key, value.split(","))):
            yield error(
                "secrets.fernet_key",
                host="",
                what=f"{name} is not 32 bytes in URL-safe base64",
                fix=f"remove it, and one is generated; one of your own: ansible-vault edit "
                f"{vault_file(cluster.directory)}",
            )


def _is_fernet_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text.strip())) == 32
    except (binascii.Error, ValueError):
        return False


@plan_rule
def plain(cluster: Cluster) -> Iterator[Finding]:
    """Secrets belong in the vault."""
    vault, specs = vault_file(cluster.directory), load_specs()
    for variable in cluster.variables:
        spec, value = specs.get(variable.name), variable.value
        secret = (spec is not None and spec.secret) or variable.name in (
            *PASSWORDS,
            *BECOME_PASSWORDS,
        )
        if secret and not variable.secret and value and _is_plain(value):
            yield warning(
                "secrets.plain",
                host="",
                what=f"{variable.location}: {variable.name} is not encrypted",
                fix=f"move it: ansible-vault {'edit' if vault.exists() else 'create'} {vault} --vault-password-file "
                f"{vault_password_file(cluster.directory)}",
            )


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        # A URL without a password in it may be anywhere.
        secret = "://" not in value or bool(_in_url(value)[1])
        return not isinstance(value, VaultedValue) and "{{" not in value and secret
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(_is_plain(part) for part in inner)


@plan_rule
def file_modes(cluster: Cluster) -> Iterator[Finding]:
    """What opens the secrets is its owner's alone."""
    vault, password = vault_file(cluster.directory), vault_password_file(cluster.directory)
    files = [password]
    if vault.exists() and not is_vaulted(vault):
        files.append(vault)
    for path in filter(Path.exists, files):
        # A program has no secret in it, but whoever may write to it gets all of them.
        program = path == password and bool(_mode(path) & 0o111)
        if _mode(path) & (0o022 if program else 0o077):
            yield warning(
                "secrets.file_mode",
                host="",
                what=f"{path} has mode {_mode(path):04o}",
                fix=f"chmod {'go-w' if program else '600'} {path}",
            )


@host_rule
def on_hosts(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What the hosts have is what the vault has; compared by keyed digests."""
    for host, facts in answering(cluster, probe):
        found = differing(wanted_secrets(cluster, host), probe.nonce, facts.secrets)
        for setting, is_set in found.items():
            yield difference(cluster, host.name, setting, is_set)


def difference(cluster: Cluster, host: str, setting: str, is_set: bool) -> Finding:
    """A secret of a host is not the inventory's, or the inventory has none."""
    return warning(
        "secrets.on_host",
        host=host,
        what=f"{setting} of this host is not {'that of' if is_set else 'in'} the inventory",
        fix=f"toolkit provision -i {cluster.inventory} writes the inventory's, "
        f"toolkit secrets recover -i {cluster.inventory} takes the hosts'",
    )


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def _passwords(cluster: Cluster) -> Iterator[_Password]:
    for name, value in _values(cluster):
        if name.endswith("_password"):
            owner = cluster.setting(name.removesuffix("password") + "user")
            owner = owner or cluster.setting(name.removesuffix("password") + "username")
            yield _Password(name, name, str(owner or ""), value)
        elif name.endswith("_url"):
            user, password = _in_url(value)
            if password:
                yield _Password(f"the password in {name}", name, user, password)
    for account in _accounts(cluster):
        user, given = str(account.get("username", "")), account.get("password")
        if isinstance(given, str) and "{{" not in given:
            name = f"airflow_users: the password of {user}"
            yield _Password(name, "airflow_users", user, given)


def _values(cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Every secret setting that is text which can be read here, once a value."""
    specs, seen = load_specs(), set()
    for variable in cluster.variables:
        spec, value = specs.get(variable.name), variable.value
        if spec is None or not spec.secret or not isinstance(value, str) or not value:
            continue
        if not isinstance(value, VaultedValue) and "{{" not in value:
            seen.add((variable.name, value))
    yield from sorted(seen)


def _accounts(cluster: Cluster) -> list[dict[str, Any]]:
    chosen = cluster.setting("airflow_users") or ()
    return [account for account in chosen if isinstance(account, dict)]


def _in_url(url: str) -> tuple[str, str]:
    """User and password of a URL; "" for what is not there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return unquote(parts.username or ""), unquote(parts.password or "")
