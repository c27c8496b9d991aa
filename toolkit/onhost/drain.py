"""Takes a host's Celery worker out of work and back, as root (toolkit/verbs/drain.py)."""

import time

from toolkit.onhost import drained
from toolkit.onhost.control import run, state
from toolkit.onhost.in_airflow import consuming
from toolkit.onhost.lib import in_airflow

UNIT = "airflow-worker.service"


def main(payload):
    """Do what payload["action"] says."""
    return ACTIONS[payload["action"]](payload)


def begin(payload):
    """Mark the host and have its worker consume nothing more."""
    drained.mark(time.time(), payload["by"], payload["why"])
    if state(UNIT)["active"] != "active":
        return {"answers": False}
    return in_airflow(consuming, "only", "5")


def tasks(payload):
    """What it still has to do; nothing where it does not run."""
    if state(UNIT)["active"] not in ("active", "deactivating"):
        return {"answers": True, "tasks": []}
    return in_airflow(consuming, "tasks", str(payload["seconds"]))


def stop(_payload):
    """Stop the unit, also over reboots, and wait until it has stopped."""
    error = run("disable", UNIT) or run("stop", UNIT)
    return dict(state(UNIT), error=error)


def back(payload):
    """Have it work again; whether it consumes its queues."""
    drained.unmark()
    # One that still ends its tasks starts after that.
    error = run("enable", UNIT) or run("start", "--no-block", UNIT)
    if error:
        return {"error": error}
    return in_airflow(consuming, "only", str(payload["seconds"]), *payload["queues"])


ACTIONS = {"begin": begin, "tasks": tasks, "stop": stop, "back": back}
