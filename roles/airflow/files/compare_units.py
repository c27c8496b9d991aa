"""Compares a host's units with those that are wanted; run from standard input, prints JSON.

It asks the host, not what this run has changed, so it finds what a run that was killed left behind.
"""

import json
import os
import subprocess
import sys
import time

UNITS = "/etc/systemd/system"
RECORD = "/usr/local/lib/airflow-toolkit/cluster.json"
# Written by `toolkit drain`, which stops this unit until `toolkit undrain`.
DRAINED, WORKER = "/usr/local/lib/airflow-toolkit/drained.json", "airflow-worker.service"
CONFIGURATION = ("/etc/airflow/airflow.cfg", "/etc/airflow/airflow.env", "/opt/airflow/current")


def shown(units):
    """Unit -> its properties."""
    names = "Id,ActiveState,ActiveEnterTimestampMonotonic,UnitFileState"
    out = subprocess.check_output(["systemctl", "show", "--property=" + names, *units])
    blocks = out.decode().strip().split("\n\n")
    found = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return {values["Id"]: values for values in found}


def is_stale(unit, values):
    """Whether a unit with these properties runs, and started before its configuration was written."""
    started = int(values["ActiveEnterTimestampMonotonic"] or 0) / 1e6
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    files = [path for path in (*CONFIGURATION, UNITS + "/" + unit) if os.path.lexists(path)]
    newest = max([os.lstat(path).st_mtime for path in files] or [0])
    return started > 0 and newest > booted + started


def ours():
    """The services on the list of what is ours: no other is touched, whatever its name is."""
    try:
        with open(RECORD) as file:
            return {unit for unit in json.load(file)["owned"]["units"] if unit.endswith(".service")}
    except FileNotFoundError:
        return set()


def compare(wanted):
    """What to do: units to remove, to forget as they are gone, to start and to start again."""
    leaving = sorted(ours() - set(wanted))
    there = [unit for unit in [*wanted, *leaving] if os.path.lexists(UNITS + "/" + unit)]
    wanted_here = [unit for unit in wanted if unit in there]
    states = shown(wanted_here) if wanted_here else {}
    found = {"remove": [unit for unit in leaving if unit in there],
             "gone": [unit for unit in leaving if unit not in there], "start": [], "restart": []}  # fmt: skip
    for unit in wanted_here:
        if unit == WORKER and os.path.exists(DRAINED):
            continue
        values = states[unit]
        if is_stale(unit, values):
            found["restart"].append(unit)
        elif (values["ActiveState"] not in ("active", "activating")
              or values["UnitFileState"] != "enabled"):  # fmt: skip
            found["start"].append(unit)
    return found


if __name__ == "__main__":
    print(json.dumps(compare(sys.argv[1:])))
