"""The hosts of a cluster, as each of its hosts has them on its list; and what one that left still has."""

import os

from toolkit.onhost import ownership
from toolkit.onhost.lib import ENVIRONMENT
from toolkit.onhost.units import unit_states


def main(payload):
    """Write the members down (payload["members"]), or say what of ours is here."""
    if "members" in payload:
        with ownership.changing() as found:
            found["members"] = payload["members"]
        return {}
    try:
        record = ownership.read()
    except ownership.BrokenError as error:
        return {"broken": str(error)}
    return {
        "id": record.get("cluster", {}).get("id", ""),
        "members": record.get("members", {}),
        "running": running(record.get("owned", {}).get("units", [])),
        "files": sum(os.path.lexists(path) for path in record.get("owned", {}).get("files", {})),
        "secrets": os.path.exists(ENVIRONMENT),
        "databases": record.get("owned", {}).get("databases", []),
    }


def running(owned):
    """Those units of ours that run."""
    states = {unit["name"]: unit for unit in unit_states()}
    return [
        name
        for name in owned
        if name.endswith(".service") and states.get(name, {}).get("active") == "active"
    ]
