"""The mutes of `toolkit health`: on the lease's host, so that every control machine knows them; as root.

A mute: code, since and until (seconds since the epoch by this host's clock; until is None for no end),
by, sticky, and count, severity and hosts of the findings that were there (None for none).
"""

import contextlib
import fcntl
import json
import os
import syslog
import time

from toolkit.onhost import lease
from toolkit.onhost.lib import read

DIRECTORY = "/usr/local/lib/airflow-toolkit"
MUTES = DIRECTORY + "/mutes.json"


def mutes():
    """Those that there are, by code; none where nobody can read them."""
    with contextlib.suppress(ValueError):
        found = json.loads(read(MUTES) or "{}")
        if isinstance(found, dict):
            return {code: one for code, one in found.items() if isinstance(one, dict)}
    return {}


def main(payload):
    """Set one mute, or remove some; answers the codes that were changed, and all that there are then.

    "set": a mute with "seconds", how long it lasts, in place of since and until. "remove": code -> since, to remove
    the mutes of that moment and no newer ones; None removes any. "audit": a line for the journal, if any was changed.
    """
    if not os.path.isdir(DIRECTORY):
        return {"changed": [], "mutes": {}}
    os.makedirs(lease.DIRECTORY, 0o755, exist_ok=True)
    with open(lease.DIRECTORY + "/lock", "a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = mutes()
        changed = put(found, payload.get("set")) + take(found, payload.get("remove", {}))
        if changed:
            write(found)
            syslog.openlog("airflow-toolkit")
            syslog.syslog(syslog.LOG_NOTICE, payload["audit"])
    return {"changed": changed, "mutes": found, "clock": time.time()}


def put(found, wanted):
    """Add a mute, in place of an earlier one of its code."""
    if not wanted:
        return []
    now, seconds = time.time(), wanted["seconds"]
    one = {name: value for name, value in wanted.items() if name != "seconds"}
    found[one["code"]] = dict(one, since=now, until=None if seconds is None else now + seconds)
    return [one["code"]]


def take(found, wanted):
    """Remove mutes."""
    there = [code for code in wanted if code in found]
    gone = [code for code in there if wanted[code] in (None, found[code].get("since"))]
    for code in gone:
        del found[code]
    return gone


def write(found):
    """Replace the file, whole or not at all; without any mute there is none."""
    if not found:
        os.remove(MUTES)
        return
    with open(MUTES + ".new", "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(MUTES + ".new", MUTES)
