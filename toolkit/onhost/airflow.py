"""What the toolkit installed earlier, and any Airflow that runs here without it."""

import glob
import os

from toolkit.onhost import drained
from toolkit.onhost.lib import CURRENT, read
from toolkit.onhost.processes import process, processes
from toolkit.onhost.units import unit_states

# It means that the toolkit has been at work here, if only for a moment: the first change of all.
OUR_MARK = "/usr/local/lib/airflow-toolkit"


def airflow(commands):
    """Releases and units of the toolkit, and processes of any other Airflow.

    `commands` are those of Airflow's command line that keep running.
    """
    units = unit_states()
    releases = [
        {"name": os.path.basename(path), "complete": os.path.exists(path + "/.complete")}
        for path in sorted(glob.glob("/opt/airflow/releases/*"))
        if os.path.isdir(path)
    ]
    return {
        "ours": os.path.exists(OUR_MARK),
        "current": os.path.basename(os.path.realpath(CURRENT)) if os.path.exists(CURRENT) else "",
        "configured": os.path.isfile("/etc/airflow/airflow.cfg"),
        "releases": releases,
        "units": units,
        "drained": drained.drained() is not None,
        "foreign": foreign_airflow([unit["name"] for unit in units if unit["ours"]], commands),
    }


def foreign_airflow(our_units, commands):
    """Airflow processes that run outside our units; their arguments stay here."""
    found = []
    for pid in processes():
        words = read("/proc/%d/cmdline" % pid).split("\0")
        if not any(os.path.basename(word) == "airflow" for word in words[:3]):
            continue
        command = next((word for word in words if word in commands), "")
        facts = process(pid)
        if command and facts["unit"] not in our_units:
            found.append(dict(facts, command=command))
    return found
