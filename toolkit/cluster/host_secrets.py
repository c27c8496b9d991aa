"""The secrets that a host is to have, by the variables of /etc/airflow/airflow.env."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from toolkit.cluster import planner
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.topology import driver, engine, server_port
from toolkit.cluster.yamlfile import is_template
from toolkit.errors import ToolkitError

OWN: Mapping[str, str] = {
    "AIRFLOW__CORE__FERNET_KEY": "airflow_fernet_key",
    "AIRFLOW__WEBSERVER__SECRET_KEY": "airflow_secret_key",
    "AIRFLOW__API__SECRET_KEY": "airflow_secret_key",
    "AIRFLOW__API_AUTH__JWT_SECRET": "airflow_jwt_secret",
}
"""Variable -> the setting that is its value, as roles/airflow/vars/main.yml has it."""
IN_URL: Mapping[str, tuple[str, ...]] = {
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": (
        "airflow_database_url", "metadata_db_url", "metadata_db_password"
    ),
    "AIRFLOW__CELERY__BROKER_URL": ("airflow_broker_url", "broker_url", "broker_password"),
    "AIRFLOW__CELERY__RESULT_BACKEND": ("airflow_broker_url", "broker_url", "broker_password"),
}  # fmt: skip
"""Variable with a URL -> the settings that its password can come from; the first that is set counts."""


def database_url(cluster: Cluster, host: Host) -> str:
    """SQLAlchemy's URL of the metadata database as a host reaches it; "" when it is not known here.

    Raises:
        ToolkitError: the vault's password is missing or wrong.
    """
    names = ("airflow_database_url", "metadata_db_url")
    given = next((url for name in names if (url := _text(cluster.setting(name, host)))), "")
    password = _text(cluster.setting("metadata_db_password", host))
    if given or not password:
        return "" if is_template(given) else given
    hostvars = {one.name: one.variables for one in cluster.all_hosts}
    server = planner.server(cluster.groups, "metadata_db", hostvars, host.name)
    used = engine(cluster, "metadata_db")
    try:
        port = server_port(cluster, "metadata_db")
    except ToolkitError:  # Jinja
        return ""
    name, user = (str(cluster.setting(f"metadata_db_{part}", host)) for part in ("name", "user"))
    found = planner.database_url(
        server["address"], port, user, password, name, driver(cluster, used).scheme
    )
    return "" if is_template(found) else found


def wanted_secrets(cluster: Cluster, host: Host) -> dict[str, tuple[str, str]]:
    """Variable -> the setting that its secret comes from, and the secret; "" where the inventory has none.

    A secret that Ansible has yet to evaluate is left out.

    Raises:
        ToolkitError: the vault's password is missing or wrong.
    """
    found = {name: (setting, _text(cluster.setting(setting, host))) for name, setting in OWN.items()}  # fmt: skip
    for name, settings in IN_URL.items():
        values = ((setting, _text(cluster.setting(setting, host))) for setting in settings)
        setting, value = next(((s, v) for s, v in values if v), (settings[-1], ""))
        if "://" in value and not is_template(value):
            value = unquote(urlsplit(value).password or "")
        found[name] = (setting, value)
    return {name: (setting, value) for name, (setting, value) in found.items()
            if not is_template(value)}  # fmt: skip


def differing(
    wanted: Mapping[str, tuple[str, str]], nonce: str, answered: Mapping[str, str]
) -> dict[str, bool]:
    """Settings whose secret is another on a host -> whether the inventory has one at all.

    Args:
        wanted: what `wanted_secrets` says of the host.
        nonce: the key of the digests.
        answered: variable -> digest (toolkit/onhost/digests.py).
    """
    return {
        setting: bool(value)
        for name, (setting, value) in wanted.items()
        if name in answered and not hmac.compare_digest(answered[name], _digest(nonce, value))
    }


def _digest(nonce: str, value: str) -> str:
    return hmac.new(nonce.encode("ascii"), value.encode("utf-8"), hashlib.sha256).hexdigest()


def _text(value: Any) -> str:
    return "" if value is None else str(value)
