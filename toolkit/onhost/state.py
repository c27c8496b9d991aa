"""The state of a host's Airflow: units, release, digests of secrets, ports, heartbeats; as root."""

import os
import time

from toolkit.onhost import claim, digests, units
from toolkit.onhost.in_airflow import database
from toolkit.onhost.lib import CURRENT, environment, in_airflow, listening


def main(payload):
    """All of it as JSON data."""
    variables = environment()
    nonce = payload["nonce"]
    return {
        "units": units.components(payload["components"]),
        "release": os.path.basename(os.path.realpath(CURRENT)) if os.path.exists(CURRENT) else None,
        "digests": digests.digests(nonce, payload["secrets"]),
        "secrets": digests.secrets(nonce, payload["secrets"]),
        "database": database_state(variables) if payload["database"] else None,
        "ports": sorted({port for _, port in listening().values()}),
        "claim": claim.cluster(),
        "hostname": os.uname()[1],
        "clock": time.time(),
    }


def database_state(variables):
    """What in_airflow/database.py finds, where the host has the URL of a server."""
    known = variables.get(database.CONNECTION, "").startswith(("postgres", "mysql"))
    return in_airflow(database) if known else None
