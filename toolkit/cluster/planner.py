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
    "airflow/filter_plugins/unit_plan.py",
    "airflow/filter_plugins/airflow_web.py",
    "base/filter_plugins/cluster_plan.py",
    "base/filter_plugins/ownership_plan.py",
)

if TYPE_CHECKING:  # mypy_path in pyproject.toml leads there
    from airflow_plan import (
        PROXIES,
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
    from airflow_web import DEFAULTS as WEB_SETTINGS
    from airflow_web import is_loopback, web
    from cluster_plan import address, server, server_connections
    from ownership_plan import owned_things
    from unit_plan import (
        OFF,
        OWN_OPTIONS,
        chosen_level,
        chosen_lines,
        hardening,
        log_folders,
        needed_paths,
        option_value,
    )
else:

    def __getattr__(name: str) -> Any:
        """A function of a plugin (PEP 562)."""
        if name not in __all__:
            raise AttributeError(name)
        return _functions()[name]


__all__ = [
    "OFF",
    "OWN_OPTIONS",
    "PROXIES",
    "WEB_SETTINGS",
    "address",
    "chosen_level",
    "chosen_lines",
    "components",
    "database_url",
    "executor",
    "hardening",
    "is_loopback",
    "lock_fits",
    "lock_hash",
    "lock_header",
    "log_folders",
    "needed_paths",
    "normal_extras",
    "normal_requirements",
    "option_value",
    "owned_things",
    "server",
    "server_connections",
    "shipped_lock",
    "sizes",
    "wanted_packages",
    "web",
]


@cache
def _functions() -> dict[str, Any]:
    roles = content_dir() / "roles"
    found: dict[str, Any] = {}
    for plugin in _PLUGINS:
        found |= runpy.run_path(str(roles / plugin))
    return {**found, "WEB_SETTINGS": found["DEFAULTS"]}
