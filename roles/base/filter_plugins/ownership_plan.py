"""What the roles put on a host, for the question whether something of others stands there.

From the tables: roles/<role>/owned.yml, the engines' platforms, the components of Airflow. Used by
the roles as a Jinja filter and by the toolkit as a function (toolkit/cluster/planner.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

KINDS: Mapping[str, type] = {
    "users": dict,
    "groups": list,
    "directories": list,
    "links": dict,
    "files": list,
    "marked_units": dict,
}
"""The keys of owned.yml, and what their values are."""


@cache
def _table(path: Path) -> Mapping[str, Any]:
    # The loader in C takes a tenth of the time, and each task of a play loads anew.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: Mapping[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)
    return found


def owned_things(
    role_path: str,
    roles: Iterable[str],
    units: Iterable[str] = (),
    certificates: Iterable[str] = (),
    dags_folder: str = "",
) -> dict[str, Any]:
    """What these roles put on a host, on whichever distribution.

    Args:
        role_path: of any role; the others are beside it.
        roles: names of the roles that the host gets.
        units: the units of Airflow's components there.
        certificates: base_ca_certificates.
        dags_folder: airflow_dags_folder.

    Returns:
        What module_utils/strangers.py compares with the host.
    """
    beside = Path(role_path).parent
    found: dict[str, Any] = {name: kind() for name, kind in KINDS.items()}
    found |= {"units": [], "known_units": [], "directories_by": ""}
    for role in roles:
        _add(found, beside / role)
    if "airflow" in roles:
        found["units"] = [*found["marked_units"], *units]
        found["known_units"] = _known_units(beside)
    if found["links"] and dags_folder:
        found["links"]["/var/lib/airflow/dags/current"] = dags_folder
    found["files"] += [*_drop_ins(beside, roles), *_certificates(beside, certificates)]
    return found


def _add(found: dict[str, Any], role: Path) -> None:
    """What a role's own table names."""
    path = role / "owned.yml"
    table = _table(path) if path.exists() else {}
    for name, kind in KINDS.items():
        values = table.get(name) or kind()
        found[name] = found[name] | values if kind is dict else [*found[name], *values]
    found["directories_by"] = table.get("directories_by", found["directories_by"])
    found["files"] = [
        entry | {"copy": str(role / "files" / entry["copy"])}
        if "copy" in entry and "/" not in entry["copy"]
        else entry
        for entry in found["files"]
    ]


def _known_units(roles: Path) -> list[str]:
    """Units of every component of every release line."""
    lines = _table(roles / "airflow/files/release_lines.yml").values()
    return sorted({f"airflow-{name}.service" for line in lines for name in line["components"]})


def _drop_ins(roles: Path, names: Iterable[str]) -> list[dict[str, str]]:
    """The configuration that the engines' roles write, and the drop-ins of their units, as patterns."""
    tables = [_table(path) for name in names for path in roles.glob(f"{name}/platforms/*.yml")]
    patterns = [table["drop_in_file"] for table in tables if "drop_in_file" in table]
    patterns += [server_unit_file(unit) for table in tables for unit in table.get("units", ())]
    return [{"path": pattern} for pattern in dict.fromkeys(patterns)]


def server_unit_file(unit: str) -> str:
    """The drop-in of a server's unit, with which systemd starts it again whenever it dies."""
    return f"/etc/systemd/system/{unit.removesuffix('.service')}.service.d/airflow-toolkit.conf"


def owned_certificates(sources: Iterable[str], directory: str) -> list[dict[str, str]]:
    """Extra CA certificates as files for the module write_files."""
    return [
        {"path": f"{directory}/{Path(source).stem}.crt", "copy": str(source)} for source in sources
    ]


def stale_certificates(
    listed: Iterable[str], sources: Iterable[str], directory: str
) -> list[dict[str, Any]]:
    """Certificates of ours in a host's store that no setting names any more, for the module write_files."""
    wanted = {entry["path"] for entry in owned_certificates(sources, directory)}
    stale = [path for path in listed if str(Path(path).parent) == directory and path not in wanted]
    return [{"path": path, "absent": True} for path in stale]


def _certificates(roles: Path, sources: Iterable[str]) -> list[dict[str, str]]:
    """Certificates in the store of each family."""
    tables = [_table(path) for path in sorted(roles.glob("base/platforms/*.yml"))]
    return [
        entry | {"mark": "BEGIN CERTIFICATE"}
        for table in tables
        for entry in owned_certificates(sources, table["ca_directory"])
    ]


class FilterModule:
    """The functions that the roles use, as Jinja filters."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {"owned_things": owned_things, "owned_certificates": owned_certificates,
                "stale_certificates": stale_certificates, "server_unit_file": server_unit_file}  # fmt: skip
