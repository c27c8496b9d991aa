"""On a scheduler host, as root: pauses all DAGs, and remembers which were not paused before.

What is remembered is written before anything is paused, so a run that was killed is done again.
"""

import json
import os
import time

from toolkit.onhost.canary import DAG
from toolkit.onhost.in_airflow import database
from toolkit.onhost.lib import in_airflow, read

FILE = "/usr/local/lib/airflow-toolkit/maintenance.json"


def maintenance():
    """Since when (seconds since the epoch), by whom, and the DAGs that go on afterwards; None when there is none."""
    try:
        return json.loads(read(FILE) or "null")
    except ValueError:
        return {"since": os.lstat(FILE).st_mtime, "by": "", "dags": []}


def main(payload):
    """Do what payload["action"] says: on or off."""
    return ACTIONS[payload["action"]](payload)


def on(payload):
    """Pause every DAG that is not paused: how many, and how many tasks still run."""
    found = in_airflow(database, "unpaused", DAG)
    if "error" in found:
        return found
    before = maintenance() or {"since": time.time(), "by": payload["by"], "dags": []}
    write(dict(before, dags=sorted({*before["dags"], *found["dags"]})))
    answer = in_airflow(database, "pause", *found["dags"]) if found["dags"] else {}
    return {
        "dags": len(found["dags"]), "tasks": found["tasks"], "error": answer.get("error", ""),
    }  # fmt: skip


def off(_payload):
    """Let those go on that were not paused before: how many of them there still are."""
    before = maintenance()
    if not before:
        return {"dags": 0, "was_on": False}
    answer = in_airflow(database, "unpause", *before["dags"]) if before["dags"] else {}
    if not answer.get("error"):
        os.remove(FILE)
    return {"dags": answer.get("changed", 0), "error": answer.get("error", "")}


def write(found):
    """Replace the file, whole or not at all."""
    with open(FILE + ".new", "w", encoding="utf-8") as file:
        json.dump(found, file)
    os.replace(FILE + ".new", FILE)


ACTIONS = {"on": on, "off": off}
