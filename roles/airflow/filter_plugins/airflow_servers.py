"""The units of database and broker servers, from the tables of the roles beside this one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml


def airflow_server_units(role_path: str) -> list[str]:
    """The unit of every engine on every distribution; to name one that a host lacks does no harm."""
    tables = [
        yaml.safe_load(path.read_text(encoding="utf-8"))
        for engine in sorted(Path(role_path).parent.glob("*/engine.yml"))
        for path in sorted(engine.parent.glob("platforms/*.yml"))
    ]
    return sorted({f"{table['service']}.service" for table in tables})


class FilterModule:
    """Makes the function a Jinja filter: `role_path | airflow_server_units`."""

    def filters(self) -> dict[str, Any]:
        """The filters of this file, by name."""
        return {"airflow_server_units": airflow_server_units}
