"""What systemd keeps the units of Airflow from, and the folders outside of ours that they have to reach."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from toolkit.cluster import planner
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.yamlfile import is_template
from toolkit.content import content_dir


@dataclass(frozen=True)
class Restriction:
    """An option of systemd.exec(5) in roles/airflow/files/hardening.yml.

    Attributes:
        values: level -> its value there.
        stops: what a unit then cannot do.
        costs: what code that meets it looks like, and what opens it.
        attempt: what the canary tries and fails at; "" for what it does not try.
    """

    option: str
    values: Mapping[str, Any]
    stops: str
    costs: str
    attempt: str = ""


@cache
def _table() -> Mapping[str, Any]:
    return planner.hardening(str(content_dir() / "roles"))


def levels() -> Mapping[str, str]:
    """The levels of units, and which units have them."""
    found: Mapping[str, str] = _table()["levels"]
    return found


@cache
def restrictions() -> tuple[Restriction, ...]:
    """All of the table, in its order."""
    return tuple(
        Restriction(
            one["option"],
            {level: one[level] for level in levels() if level in one},
            one["stops"],
            one["costs"],
            one.get("attempt", ""),
        )
        for one in _table()["restrictions"]
    )


def is_unconfined(cluster: Cluster, host: Host) -> bool:
    """Whether a host's units have no restrictions."""
    return planner.chosen_level(cluster.setting("airflow_hardening", host)) == planner.OFF


def chosen_options(cluster: Cluster, host: Host) -> list[tuple[str, str]]:
    """airflow_unit_options as lines of a unit."""
    lines = planner.chosen_lines(_dict(cluster, host, "airflow_unit_options"))
    return [(option, value) for option, value in lines if not is_template(value)]


def written_paths(cluster: Cluster, host: Host) -> list[str]:
    """The directories outside of ours that Airflow writes to on a host: logs and airflow_writable_paths."""
    found = [*planner.log_folders(*_configured(cluster, host)), *_listed(cluster, host)]
    return [path for path in found if path.startswith("/")]


def read_paths(cluster: Cluster, host: Host) -> list[str]:
    """What Airflow reads outside of our directories on a host: DAGs, plugins, bundles and Python."""
    written = written_paths(cluster, host)
    more = [
        str(cluster.setting(name, host) or "")
        for name in ("airflow_dags_folder", "python_interpreter")
    ]
    found = planner.needed_paths(*_configured(cluster, host), more)
    return [path for path in found if path not in written]


def _configured(cluster: Cluster, host: Host) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    return _dict(cluster, host, "airflow_config"), _dict(cluster, host, "airflow_environment")


def _dict(cluster: Cluster, host: Host, name: str) -> Mapping[str, Any]:
    found = cluster.setting(name, host)
    return found if isinstance(found, dict) else {}


def _listed(cluster: Cluster, host: Host) -> list[str]:
    found = cluster.setting("airflow_writable_paths", host)
    return [str(path) for path in found] if isinstance(found, list) else []
