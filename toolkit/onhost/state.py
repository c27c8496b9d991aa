"""The state of a host's Airflow: units, release, digests of secrets, ports, servers, heartbeats; as root."""

import os
import time

from toolkit.onhost import (
    addresses,
    answering,
    claim,
    digests,
    drained,
    maintenance,
    releases,
    units,
    workers,
)
from toolkit.onhost.in_airflow import broker, database
from toolkit.onhost.lib import CURRENT, environment, in_airflow, in_parallel, listening

PATIENCE = 10  # seconds that database, broker and each port have to answer
WORKERS_PATIENCE = 1  # and the Celery workers; who is silent is asked again


def main(payload):
    """All of it as JSON data."""
    variables = environment()
    nonce = payload["nonce"]
    late = [{"error": "no answer within %d s" % PATIENCE}] * 2
    servers = [
        (database_state, variables, payload["database"], payload["jobs"]),
        (broker_state, variables, payload["workers"]),
    ]
    if not payload["database"]:
        servers, late = [], []
    calls = [
        (units.components, payload["components"]),
        (answering.silent, payload["asked"], PATIENCE - 2),
        (addresses.airflow_name,),
        *servers,
    ]
    components, silent, name, *answers = in_parallel(calls, PATIENCE, [{}, [], "", *late])
    database_answer, broker_answer = answers or (None, None)
    return {
        "units": components,
        "drained": drained.drained(),
        "maintenance": maintenance.maintenance(),
        "dags": releases.current(),
        "dags_since": made(releases.RELEASE),
        "release": os.path.basename(os.path.realpath(CURRENT)) if os.path.exists(CURRENT) else None,
        "digests": digests.digests(nonce, payload["secrets"]),
        "secrets": digests.secrets(nonce, payload["secrets"]),
        "database": database_answer,
        "broker_error": (broker_answer or {}).get("error", ""),
        "workers": (broker_answer or {}).get("workers"),
        "ports": sorted({port for _, port in listening().values()}),
        "silent": silent,
        "claim": claim.cluster(),
        "hostname": os.uname()[1],
        "airflow_name": name,
        "clock": time.time(),
    }


def made(link):
    """When a link was made; None where there is none."""
    try:
        return os.lstat(link).st_mtime
    except OSError:
        return None


def database_state(variables, question, jobs):
    """What in_airflow/database.py finds, where the host has the URL of a server."""
    known = variables.get(database.CONNECTION, "").startswith(("postgres", "mysql"))
    return in_airflow(database, question, *jobs) if known else None


def broker_state(variables, count):
    """What the workers say, if there are any to be asked; where they say nothing, what in_airflow/broker.py finds.

    The latter where the host has the URL of a Redis.
    """
    answer = workers.ask("queues", WORKERS_PATIENCE, count) if count else {}
    if answer.get("queues"):
        return {"error": "", "workers": answer}
    known = variables.get(broker.CONNECTION, "").startswith("redis")
    found = in_airflow(broker) if known else {}
    return {"error": found.get("error", ""), "workers": answer if count else None}
