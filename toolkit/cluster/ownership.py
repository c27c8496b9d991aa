"""What a cluster puts on its hosts, and what base_adopt may name: from the roles' tables."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from toolkit.cluster import planner
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.tables import server_groups
from toolkit.cluster.topology import airflow_components, servers
from toolkit.cluster.yamlfile import is_template
from toolkit.content import content_dir, expanded

ID = "base_cluster_id"
FORMS = re.compile(r"/\S.*|(user|group):\S+|\S+\.(service|slice)")
"""What an entry of base_adopt may look like."""


def roles_of(cluster: Cluster, host: Host) -> list[str]:
    """The roles that put something of their own on a host, as playbooks/provision.yml has them."""
    airflow = ["airflow"] if airflow_components(cluster, host) else []
    return [*airflow, *servers(cluster, host)]


@cache
def service_users() -> frozenset[str]:
    """The users whom role airflow makes."""
    return frozenset(planner.owned_things(_roles(), ["airflow"])["users"])


def _roles() -> str:
    """One of the roles; the others are beside it."""
    return str(content_dir() / "roles" / "base")


def is_ours(host: Host) -> bool:
    """Whether a host is in any group that makes it a part of the cluster."""
    return bool({*server_groups(), "scheduler", "webserver", "worker"} & {*host.groups})


def wanted(cluster: Cluster, host: Host) -> Mapping[str, Any]:
    """What onhost/claim.py compares with a host; {} for one that is in no group of ours."""
    if not is_ours(host):
        return {}
    folder = str(cluster.setting("airflow_dags_folder", host) or "")
    return _things(
        _roles(),
        tuple(roles_of(cluster, host)),
        tuple(f"airflow-{name}.service" for name in airflow_components(cluster, host)),
        tuple(
            str(cluster.directory / expanded(str(name)))
            for name in cluster.setting("base_ca_certificates", host) or ()
            if not is_template(str(name))
        ),
        "*" if is_template(folder) else folder,
    )


@cache
def _things(
    base: str,
    roles: tuple[str, ...],
    units: tuple[str, ...],
    certificates: tuple[str, ...],
    folder: str,
) -> Mapping[str, Any]:
    """The same for all hosts that get the same."""
    found: dict[str, Any] = planner.owned_things(base, roles, units, certificates, folder)
    return found | {"files": [_with_digest(entry) for entry in found["files"]]}


def adopted(cluster: Cluster, host: Host) -> tuple[str, ...]:
    """base_adopt of a host."""
    chosen = cluster.setting("base_adopt", host)
    return tuple(str(name) for name in chosen) if isinstance(chosen, list) else ()


def _with_digest(entry: Mapping[str, str]) -> dict[str, str]:
    found = dict(entry)
    source = found.pop("copy", "")
    return found | ({"sha256": _sha256(Path(source))} if source else {})


@cache
def _sha256(path: Path) -> str:
    """Digest of a file; "" of one that cannot be read, which other rules report."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def adoptable(cluster: Cluster) -> Iterator[str]:
    """All that base_adopt may name on some host; files as patterns."""
    for host in cluster.all_hosts:
        found = wanted(cluster, host)
        for kind in ("directories", "links", "units"):
            yield from found.get(kind, ())
        yield from (entry["path"] for entry in found.get("files", ()))
        for kind in ("users", "groups"):
            yield from (f"{kind[:-1]}:{name}" for name in found.get(kind, ()))
