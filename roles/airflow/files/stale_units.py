#!/usr/bin/python3
"""Prints those of the named units that run, but started before their configuration was written.

Looking at the host, not at what this run changed, finds them after a run that was killed, too.
"""

import os
import subprocess
import sys
import time

CONFIGURATION = ("/etc/airflow/airflow.cfg", "/etc/airflow/airflow.env", "/opt/airflow/current")


def main():
    """Compare each unit's start with the newest file it depends on."""
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    for unit in sys.argv[1:]:
        shown = subprocess.check_output(
            ["systemctl", "show", "--property=ActiveEnterTimestampMonotonic", "--value", unit]
        )
        started = int(shown or 0) / 1e6
        files = (*CONFIGURATION, "/etc/systemd/system/" + unit)
        newest = max(
            (os.lstat(path).st_mtime for path in files if os.path.lexists(path)), default=0
        )
        if started and newest > booted + started:
            print(unit)


main()
