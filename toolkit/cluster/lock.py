"""Which airflow.lock a cluster has, or gets: the exact dependencies of every host."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from toolkit.cluster import planner
from toolkit.cluster.lockfile import (
    LOCK_NAME,
    Header,
    is_stale,
    lock_hash,
    normal_requirements,
    read_header,
    shipped_lock,
    write,
)
from toolkit.cluster.model import Cluster
from toolkit.cluster.resolve import resolve
from toolkit.cluster.tables import Driver, engine_of
from toolkit.cluster.topology import driver, engine, major, release_line
from toolkit.content import expanded
from toolkit.errors import Location, ToolkitError


def ensure_lock(cluster: Cluster, say: Callable[[str], None] = lambda _: None) -> Path:
    """The inventory's lock; made first, from a shipped one or by resolving, when there is none.

    Args:
        cluster: whose airflow_version, airflow_extras and airflow_requirements the lock must fit.
        say: called with a line about what takes long.

    Raises:
        ToolkitError: the lock there is does not fit the settings, or resolving failed.
    """
    path = cluster.directory / LOCK_NAME
    wanted = wanted_of(cluster)
    if path.exists():
        if is_stale(path, *wanted):
            raise ToolkitError(
                f"the lock is for {_told(read_header(path))}, the settings say {_told(wanted)}",
                where=Location(path),
                fix=f"toolkit lock -i {cluster.inventory}",
            )
        return path
    shipped = shipped_lock(*wanted)
    if shipped:
        write(path, shipped.read_text(encoding="utf-8"))
    else:
        write(path, resolve(*wanted, index_url=cluster.setting("python_index_url"), say=say))
    return path


def wanted_of(cluster: Cluster) -> tuple[str, list[str], list[str]]:
    """Airflow's version, extras and additional requirements as the settings have them.

    The driver comes with the engine, and the provider that writes task logs to S3 with their
    folder: nobody has to know the extra.
    """
    url = str(cluster.setting("metadata_db_url") or "")
    used = engine_of(url) if url else engine(cluster, "metadata_db")
    found = driver(cluster, used) if used else Driver("")
    return cluster.version, *planner.wanted_packages(
        cluster.setting("airflow_extras") or (),
        cluster.setting("airflow_requirements") or (),
        {"extras": found.extras, "requirements": found.requirements},
        release_line(cluster) or {},
        major(cluster),
        bool(cluster.setting("airflow_remote_log_folder")),
    )


def _told(settings: Header | tuple[str, list[str], list[str]]) -> str:
    if isinstance(settings, Header):
        version, extras, requirements = (
            settings.airflow_version,
            settings.extras,
            settings.requirements,
        )
    else:
        version = settings[0]
        extras, requirements = planner.normal_extras(settings[1]), normal_requirements(settings[2])
    more = f" and {', '.join(requirements)}" if requirements else ""
    return f"apache-airflow[{','.join(extras)}]=={version}{more}"


def lock_file(cluster: Cluster) -> Path | None:
    """The lock that hosts will install from; None while there is none yet."""
    named = cluster.setting("airflow_lock")
    path = expanded(str(named)) if named else cluster.directory / LOCK_NAME
    return path if path.is_file() else shipped_lock(*wanted_of(cluster))


def release_name(cluster: Cluster) -> str:
    """The directory below /opt/airflow/releases that this cluster's settings lead to; or ""."""
    lock = lock_file(cluster)
    return f"{cluster.version}-{lock_hash(lock)}" if lock else ""
