"""The lease on the cluster, and the audit line in the journal; runs as root.

The lease is a file in /run, so a reboot ends it; its age goes by the clock that counts from the
boot, which nobody sets.
"""

import fcntl
import json
import os
import syslog
import time

DIRECTORY = "/run/airflow-toolkit"
LEASE = DIRECTORY + "/lease.json"


def main(payload):
    """Do what payload["action"] says: take, renew or end; answers who else holds the lease."""
    if payload.get("audit"):
        syslog.openlog("airflow-toolkit")
        syslog.syslog(syslog.LOG_NOTICE, payload["audit"])
    if payload["action"] == "end" and not os.path.isdir(DIRECTORY):
        return {"held": None, "seconds": 0}
    os.makedirs(DIRECTORY, 0o755, exist_ok=True)
    with open(DIRECTORY + "/lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return ACTIONS[payload["action"]](payload["holder"], payload["stale"])


def take(holder, stale):
    """Write the lease, unless another run holds it."""
    held, now = read(), time.monotonic()
    fresh = held and now - held["renewed"] < stale
    if fresh and held["holder"]["origin"] != holder["origin"]:
        return {"held": held["holder"], "seconds": now - held["taken"]}
    write({"holder": holder, "taken": now, "renewed": now})
    return {"held": None, "seconds": 0}


def renew(holder, _):
    """Say that the run is still alive; a lease that another has taken meanwhile stays theirs."""
    held, now = read(), time.monotonic()
    if held and held["holder"]["token"] != holder["token"]:
        return {"held": held["holder"], "seconds": now - held["taken"]}
    write({"holder": holder, "taken": held["taken"] if held else now, "renewed": now})
    return {"held": None, "seconds": 0}


def end(holder, _):
    """Remove the lease, if it is this run's."""
    held = read()
    if held and held["holder"]["token"] == holder["token"]:
        os.remove(LEASE)
    return {"held": None, "seconds": 0}


ACTIONS = {"take": take, "renew": renew, "end": end}


def read():
    """The lease that there is; None without one, or when it cannot be read."""
    try:
        with open(LEASE) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def write(lease):
    """Replace the lease, whole or not at all."""
    with open(LEASE + ".new", "w") as file:
        json.dump(lease, file)
    os.replace(LEASE + ".new", LEASE)
