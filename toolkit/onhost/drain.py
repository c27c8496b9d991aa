"""Takes a host's Celery worker out of work and back, as root (toolkit/verbs/drain.py)."""

import time

from toolkit.onhost import compare_units, drained
from toolkit.onhost.control import run, state
from toolkit.onhost.in_airflow import consuming
from toolkit.onhost.lib import in_airflow, show, wait_until


def main(payload):
    """Do what payload["action"] says."""
    return ACTIONS[payload["action"]](payload)


def begin(payload):
    """Mark the host and have its worker consume nothing more."""
    if not is_there():
        return {"answers": True}
    drained.mark(time.time(), payload["by"], payload["why"])
    error = run(
        "disable", drained.UNIT
    )  # a reboot while its tasks end does not have it begin others
    if error or state(drained.UNIT)["active"] != "active":
        return {"answers": not error, "error": error}
    return in_airflow(consuming, "only", "30")


def tasks(payload):
    """What it still has to do; nothing where it does not run."""
    if state(drained.UNIT)["active"] == "active":
        return in_airflow(consuming, "tasks", str(payload["seconds"]))
    # One that is on its way down answers nobody.
    ending = wait_until(
        lambda: state(drained.UNIT)["active"] == "deactivating",
        lambda busy: not busy,
        payload["seconds"],
    )
    return {"answers": True, "tasks": [{}] if ending else []}


def stop(_payload):
    """Stop the unit, also over reboots, and wait until it has stopped."""
    error = run("disable", drained.UNIT) or run("stop", drained.UNIT) if is_there() else ""
    return dict(state(drained.UNIT), error=error)


def is_there():
    """Whether there is such a unit; on a host that is half removed there is none."""
    found = show([drained.UNIT], "LoadState")
    return bool(found) and found[0].get("LoadState") != "not-found"


def back(payload):
    """Have it work again; whether it consumes its queues."""
    drained.unmark()
    # A provision left it alone while it was drained; one that has tasks keeps its settings for them.
    stale = is_stale()
    idle = stale and in_airflow(consuming, "tasks", "1").get("tasks") == []
    # One that is on its way down starts after that.
    error = run("enable", drained.UNIT) or run(
        "restart" if idle else "start", "--no-block", drained.UNIT
    )
    if error:
        return {"error": error}
    found = in_airflow(consuming, "only", str(payload["seconds"]), *payload["queues"])
    return dict(found, stale=stale and not idle)


def is_stale():
    """Whether it runs, and began before its configuration was written."""
    values = compare_units.shown([drained.UNIT])[drained.UNIT]
    return values["ActiveState"] == "active" and compare_units.is_stale(drained.UNIT, values)


ACTIONS = {"begin": begin, "tasks": tasks, "stop": stop, "back": back}
