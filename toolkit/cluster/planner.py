"""The planner that roles and toolkit share: functions of the roles' filter plugins.

They are written in roles/airflow/filter_plugins and roles/base/filter_plugins, outside every
package, and loaded when first used.
"""

from __future__ import annotations

import runpy
from functools import cache
from typing import TYPE_CHECKING, Any

from toolkit.content import content_dir

_PLUGINS = (
    "airflow/filter_plugins/airflow_plan.py",
    "base/filter_plugins/cluster_plan.py",
    "base/filter_plugins/ownership_plan.py",
)

if TYPE_CHECKING:  # mypy_path in pyproject.toml leads there
    from airflow_plan import (
        base_url,
        components,
        database_url,
        executor,
        lock_fits,
        lock_hash,
        lock_header,
        normal_extras,
        normal_requirements,
        shipped_lock,
        sizes,
        wanted_packages,
    )
    from cluster_plan import address, server, server_connections
    from ownership_plan import owned_things
else:

    def __getattr__(name: str) -> Any:
        """A function of a plugin (PEP 562)."""
        if name not in __all__:
            raise AttributeError(name)
        return _functions()[name]


__all__ = [
    "address",
    "base_url",
    "components",
    "database_url",
    "executor",
    "lock_fits",
    "lock_hash",
    "lock_header",
    "normal_extras",
    "normal_requirements",
    "owned_things",
    "server",
    "server_connections",
    "shipped_lock",
    "sizes",
    "wanted_packages",
]


@cache
def _functions() -> dict[str, Any]:
    roles = content_dir() / "roles"
    found: dict[str, Any] = {}
    for plugin in _PLUGINS:
        found |= runpy.run_path(str(roles / plugin))
    return found
