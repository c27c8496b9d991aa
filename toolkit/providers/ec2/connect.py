"""How the cluster learns of the servers that AWS runs for it: by the variables in its vault."""

from __future__ import annotations

import re
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolkit.cluster import Cluster
from toolkit.cluster import vault as secrets
from toolkit.cluster.topology import database
from toolkit.cluster.vaultfile import vault_file
from toolkit.cluster.yamlfile import VaultedValue
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.providers.ec2.account import Account
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.firewall import member_group
from toolkit.providers.ec2.managed import SERVICES, wait_available
from toolkit.providers.ec2.service import Service

CA_BUNDLE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
"""Amazon's own copy of the authorities that RDS' certificates come from, of all regions."""
CA_FILE = "rds-ca.pem"
_CA = "metadata_db_ca_certificate"


def expected(config: Config, cluster: Cluster) -> dict[str, Any]:
    """What `up` will put into the vault, for rules that need to know whose server is used.

    Raises:
        ToolkitError: what is written there does not go with the sections of ec2.yml.
    """
    found = {}
    for service in _chosen(config):
        _refuse_other(config, cluster, service)
        _password(cluster, service)
        if not cluster.setting(service.url):
            found[service.url] = _EXPECTED[service.name].format(f"{_name(config)}.amazonaws.com")
    return found


_EXPECTED: Mapping[str, str] = {"rds": "postgresql://{}/airflow", "elasticache": "rediss://{}"}


def _chosen(config: Config) -> tuple[Service, ...]:
    return tuple(one for one in SERVICES if one.name in config.managed)


def _name(config: Config) -> str:
    return member_group(config.name)


def _is_ours(url: str, config: Config) -> bool:
    """Whether a URL is one that `up` wrote: the server's name is in its host's at AWS."""
    labels = (urlsplit(url).hostname or "").split(".")
    return _name(config) in labels[:2] and "amazonaws" in labels


def _refuse_other(config: Config, cluster: Cluster, service: Service) -> None:
    url = str(cluster.setting(service.url) or "")
    if url and not _is_ours(url, config):
        raise ToolkitError(
            f"{service.url} names a server already, {urlsplit(url).hostname}",
            where=f"{config.path}: {service.name}",
            fix=f"remove {service.url} from {vault_file(config.directory)} (what is in "
            f"that server stays there), or the section {service.name}",
            id="planning.two_servers",
        )


def _password(cluster: Cluster, service: Service) -> str:
    """The password for a server; "" while it has yet to be generated.

    Raises:
        ToolkitError: it cannot be read here, or AWS would refuse it.
    """
    value = cluster.setting(service.password) or ""
    pattern, words = service.takes
    where = str(vault_file(cluster.directory))
    if isinstance(value, VaultedValue) or "{{" in str(value):
        raise ToolkitError(
            f"{service.password} cannot be read here, and {service.name} needs it",
            where=where,
            fix=f"move {service.password} into {where}",
            id="ec2.server_password",
        )
    if value and not re.fullmatch(pattern, str(value)):
        raise ToolkitError(
            f"{service.password} is not what {service.name} takes: {words}",
            where=where,
            fix=f"remove {service.password}, and a good one is generated",
            id="ec2.server_password",
        )
    return str(value)


def passwords(config: Config, cluster: Cluster) -> dict[str, str]:
    """Service -> password of its server, after generating the secrets that are missing."""
    if not config.managed:
        return {}
    secrets.ensure(cluster)
    return {one.name: _password(cluster, one) for one in _chosen(config)}


def certificate(config: Config, cluster: Cluster, source: str) -> str:
    """The file with the authorities that RDS is verified by; "" where none is needed.

    That of the setting, else one in the inventory directory, which is fetched when it is not there.
    MySQL's drivers get none.

    Args:
        source: URL that it is fetched from.
    """
    if "rds" not in config.managed or database(cluster) != "postgres":
        return ""
    given = str(cluster.setting(_CA) or "")
    path = config.directory / CA_FILE
    if not given and not path.exists():
        path.write_text(fetch(source, path), encoding="ascii")
    return given or str(path)


def fetch(source: str, path: Path) -> str:
    """Certificates from a URL, as PEM.

    Args:
        path: where they will be stored; somebody without internet puts them there.

    Raises:
        ToolkitError: they cannot be had.
    """
    try:
        with urllib.request.urlopen(source, timeout=30) as answer:
            text: str = answer.read(1 << 20).decode("ascii")
        problem = "" if "-----BEGIN CERTIFICATE-----" in text else "that is no PEM file"
    except (urllib.error.URLError, OSError, ValueError) as error:
        problem = str(error)
    if problem:
        raise ToolkitError(
            f"Amazon's certificates cannot be fetched from {source}: {problem}",
            fix=f"fetch them elsewhere, and put them into {path}; nothing was made yet",
            exit_code=EXIT_FAILED,
            id="ec2.certificates",
        )
    return text


def connect(
    account: Account, config: Config, cluster: Cluster, known: Mapping[str, str], ca: str,
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Wait for the servers, and write into the vault where they are.

    Args:
        known: as `passwords` returns it.
        ca: as `certificate` returns it.
    """
    changes: dict[str, str | None] = {}
    for service in _chosen(config):
        say(f"waiting until {service.server.title} {_name(config)} is available")
        raw = wait_available(account, service, _name(config))
        changes[service.url] = service.address(raw, known[service.name], cluster)
    if ca and not cluster.setting(_CA):
        changes[_CA] = ca
    secrets.update(cluster, changes)


def disconnect(config: Config, cluster: Cluster) -> None:
    """Remove from the vault what `connect` wrote there: the servers are gone."""
    vault = secrets.stored(cluster)
    gone = [one.url for one in SERVICES if _is_ours(str(vault.get(one.url, "")), config)]
    gone += [_CA] if vault.get(_CA) == str(config.directory / CA_FILE) else []
    secrets.update(cluster, dict.fromkeys(gone))
