"""Resolves airflow.lock again, and says what that changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from toolkit.cluster import Cluster, Inventory, lockfile
from toolkit.cluster.lock import wanted_of
from toolkit.cluster.resolve import resolve
from toolkit.cluster.settings import check, validate
from toolkit.errors import ToolkitError
from toolkit.findings import errors
from toolkit.run.session import Options, session
from toolkit.run.stages import Stage, Step

Versions = Mapping[str, tuple[str, ...]]


RESOLVE = Step("resolve", "resolving the lock", "lock resolved")


def lock(
    inventory: Inventory | Path, airflow_version: str | None, options: Options
) -> tuple[dict[str, Any], str]:
    """Resolve a cluster's lock, for another version than its setting's where one is given.

    Returns:
        What the lock is now, and the version in the settings.

    Raises:
        ToolkitError: a setting is wrong, or resolving failed.
    """
    cluster = Cluster.load(inventory)
    problems = errors(validate(cluster))
    if problems:
        what = "\n".join(problem.what for problem in problems)
        raise ToolkitError(what, fix=problems[0].fix, id=problems[0].id)
    for wrong in check("airflow_version", airflow_version) if airflow_version else ():
        raise ToolkitError(wrong.what, where="--airflow-version", fix=wrong.fix, id=wrong.id)
    in_settings, extras, requirements = wanted_of(cluster)
    version = airflow_version or in_settings
    path = cluster.directory / lockfile.LOCK_NAME
    before = lockfile.pinned(path) if path.exists() else {}
    with session(cluster.inventory.identity, "lock", options) as work:

        def write() -> bool:
            say, index = work.progress.say, cluster.setting("python_index_url")
            lockfile.write(path, resolve(version, extras, requirements, index_url=index, say=say))
            return True

        work.carry_out([Stage(RESOLVE, write)])
        work.exit_code = 0
    after = lockfile.pinned(path)
    header = lockfile.read_header(path)
    result = {
        "lock": str(path),
        "hash": lockfile.lock_hash(path),
        "airflow_version": header.airflow_version,
        "pythons": header.pythons,
        "machines": header.machines,
        "source": header.source,
        "packages": len(after),
        "built_on_hosts": header.built_on_hosts,
        "changes": changes(before, after) if before else {},
    }
    return result, in_settings


def changes(before: Versions, after: Versions) -> dict[str, str]:
    """What became of each package that is not as it was: "1.0 -> 1.1", "added", "removed"."""
    changed = {name: "removed" for name in before if name not in after}
    for name, versions in after.items():
        if name not in before:
            changed[name] = "added"
        elif versions != before[name]:
            changed[name] = f"{', '.join(before[name])} -> {', '.join(versions)}"
    return dict(sorted(changed.items()))
