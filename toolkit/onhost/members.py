"""The hosts of a cluster, as each of its hosts has them on its list; and what one that left still has."""

import os

from toolkit.onhost import ownership
from toolkit.onhost.lib import ENVIRONMENT
from toolkit.onhost.units import unit_states


def main(payload):
    """Write the members down, or say what of ours is here.

    `members` are written in place of those that there are, `known` are added to them, and `forget` is taken out;
    on hosts of this cluster (`id`) alone.
    """
    if "id" in payload:
        if ownership.read().get("cluster", {}).get("id") == payload["id"]:
            with ownership.changing() as found:
                members = payload.get("members", found.get("members", {}))
                members = dict(members, **payload.get("known", {}))
                found["members"] = {
                    name: members[name] for name in members if name != payload.get("forget")
                }
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
