"""How far an installation is; runs as root."""

import glob
import os
import re

from toolkit.onhost.lib import read

STATUS = "/run/airflow-toolkit/packages"
"""apt's own report (APT::Status-Fd), see roles/base/files/install_packages_apt.sh."""


def main(payload):
    """{"packages": "24 of 41", "environment": "130 of 205"}; "" for what is not under way."""
    return {
        "packages": packages(read(STATUS)),
        "environment": environment(payload["release"], payload["python_packages"]),
    }


def packages(status):
    """Of the distribution's packages: fetched, then installed."""
    fetched = re.findall(r"^dlstatus:.*?(\d+) of (\d+)", status, re.M)
    installed = set(re.findall(r"^pmstatus:([^:]+):[^:]*:Installed ", status, re.M))
    if not fetched:
        return ""
    if "pmstatus:" in status:
        return "%d of %s" % (len(installed), fetched[-1][1])
    return "%s of %s fetched" % fetched[-1]


def environment(release, wanted):
    """Of the Python packages in the lock: unpacked in uv's cache, then installed."""
    if not release or not os.path.isdir(release) or os.path.exists(release + "/.complete"):
        return ""
    installed = len(glob.glob(release + "/lib/python*/site-packages/*.dist-info"))
    cached = len(glob.glob("/opt/airflow/cache/archive-v*/*"))
    return "%d of %d" % (min(max(installed, cached), wanted), wanted)
