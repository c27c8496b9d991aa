"""Airflow's units, in systemd's words."""

import glob
import os
import time

from toolkit.onhost import ownership
from toolkit.onhost.lib import output, read, show
from toolkit.onhost.processes import group_memory_mb

DIRECTORIES = ["/etc/systemd/system", "/lib/systemd/system", "/usr/local/lib/systemd/system"]


def unit_states():
    """State of every unit with airflow in its name."""
    files, is_ours = {}, ours()
    for directory in DIRECTORIES:
        for path in glob.glob(directory + "/*airflow*.service"):
            files.setdefault(os.path.basename(path), path)
    found = []
    for values in show(sorted(files), "LoadState", "ActiveState", "SubState", "NRestarts", "MainPID",
                       "UnitFileState", "DropInPaths"):  # fmt: skip
        if values.get("LoadState") in (None, "not-found"):
            continue
        name = values["Id"]
        found.append(
            {
                "name": name,
                "active": values.get("ActiveState", ""),
                "sub": values.get("SubState", ""),
                "restarts": int(values.get("NRestarts") or 0),
                "pid": int(values.get("MainPID") or 0),
                "enabled": values.get("UnitFileState", ""),
                "overrides": values.get("DropInPaths", "").split(),
                "ours": name in files and is_ours(name, read(files[name])),
            }
        )
    return found


def ours():
    """What says whether a unit is ours, by its name and text: the list, else where it runs."""
    try:
        units = ownership.read().get("owned", {}).get("units", [])
    except (OSError, ownership.BrokenError):
        units = []
    return (lambda name, _: name in units) if units else (lambda _, text: "airflow.slice" in text)


def components(names):
    """State of the units of Airflow's components, by component."""
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    found = {}
    for values in show(["airflow-%s.service" % name for name in names], "ActiveState", "SubState",
                       "NRestarts", "ActiveEnterTimestampMonotonic", "MemoryCurrent",
                       "ControlGroup"):  # fmt: skip
        unit = values["Id"]
        started = int(values.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        found[unit[len("airflow-") : -len(".service")]] = {
            "active": values["ActiveState"],
            "sub": values["SubState"],
            "restarts": int(values.get("NRestarts") or 0),
            "since": booted + started if started else None,
            "memory_mb": memory_mb(values),
            "journal": journal(unit) if values["ActiveState"] != "active" else [],
        }
    return found


def memory_mb(values):
    """Memory of a unit in MB: systemd's figure, else the sum of its processes."""
    memory, group = values.get("MemoryCurrent", ""), values.get("ControlGroup", "")
    if memory.isdigit() and int(memory) < 2**60:
        return int(memory) // 2**20
    return group_memory_mb(group) if group else 0  # a unit that does not run has no group


def journal(unit):
    """The last lines a unit wrote."""
    lines = output("journalctl", "--unit", unit, "--lines", "5", "--output", "cat", "--no-pager")
    return lines.splitlines()
