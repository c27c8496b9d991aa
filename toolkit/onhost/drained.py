"""The mark of a host that is drained: its worker consumes nothing, and stays down over reboots and provisions.

The role reads it as well (roles/airflow/files/compare_units.py).
"""

import json
import os

from toolkit.onhost.lib import read

UNIT = "airflow-worker.service"
MARK = "/usr/local/lib/airflow-toolkit/drained.json"


def drained():
    """Since when (seconds since the epoch), by whom and by which verb; None where the host is not drained."""
    text = read(MARK)
    try:
        return json.loads(text) if text else None
    except ValueError:
        return {"since": os.lstat(MARK).st_mtime, "by": "", "why": ""}


def mark(since, by, why):
    """Mark the host; one that is marked keeps its mark, unless that was for a restart alone."""
    before = drained()
    if before and before.get("why") != "restart":
        return
    with open(MARK + ".new", "w", encoding="utf-8") as file:
        json.dump({"since": since, "by": by, "why": why}, file)
    os.replace(MARK + ".new", MARK)


def unmark():
    """Remove the mark, if there is one."""
    if os.path.exists(MARK):
        os.remove(MARK)
