"""Starts and stops units on a host, as root, and says how they are."""

import fnmatch
import subprocess

from toolkit.onhost.lib import output, show


def main(payload):
    """Do what payload["action"] says to the units of these components, without waiting; "" for nothing.

    `units` are the names of each component's units, as patterns of fnmatch(3).
    """
    found = {name: there(patterns) for name, patterns in payload["units"].items()}
    units = [unit for names in found.values() for unit in names]
    error = ""
    several = [name for name, names in found.items() if len(names) > 1]
    if several:
        error = "there are several units of %s (%s), and which is ours nobody knows here: use systemctl" % (
            several[0], ", ".join(found[several[0]]))  # fmt: skip
    elif payload["action"] and units:
        error = run(payload["action"], "--no-block", *units)
    return {
        "units": {name: [state(unit) for unit in names] for name, names in found.items()},
        "error": error,
    }


def there(patterns):
    """The units that there are of these; of a template's instances and the unit that stands for all, the instances.

    Debian's postgresql.service stands for every PostgreSQL of the host, also for those of others.
    """
    words = ["list-units", "list-unit-files"]
    lines = [
        line.split()[0]
        for word in words
        for line in output("systemctl", word, "--all", "--plain", "--no-legend").splitlines()
        if line.split()
    ]
    matching = {line for one in patterns for line in fnmatch.filter(lines, one)}
    found = {values["Id"] for values in show(sorted(matching), "LoadState")
             if values.get("LoadState") == "loaded"}  # fmt: skip
    instances = {unit for unit in found if "@" in unit}
    return sorted(instances or found)


def run(*words):
    """What systemctl says is wrong; "" when nothing is."""
    done = subprocess.run(
        ["systemctl", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
    )
    lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return (lines or ["systemctl failed"])[-1] if done.returncode else ""


def state(unit):
    """A unit's state in systemd's words."""
    values = (show([unit], "ActiveState", "SubState", "Job") or [{}])[0]
    return {
        "unit": unit,
        "active": values.get("ActiveState", ""),
        "sub": values.get("SubState", ""),
        "busy": values.get("Job", "") not in ("", "0"),
    }
