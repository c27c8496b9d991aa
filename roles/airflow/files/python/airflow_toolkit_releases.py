"""Where deployed DAGs are on a host, and which release of them is current.

Runs on the host: in Airflow (airflow_toolkit_bundle.py beside it), and in the programs of `toolkit deploy`,
which knows it as toolkit/onhost/releases.py. Standard library only, Python 3.6, and no import of ours.
"""

import os
import sys

DAGS = "/var/lib/airflow/dags"
RELEASES = DAGS + "/releases"
"""A folder a release, named by its id. It holds dags/ and what a project has beside it."""
RELEASE = DAGS + "/release"
"""The link to the release that is current: the switch of a deploy is this link."""
CURRENT = DAGS + "/current"
"""Where DAGs are that somebody copied; once DAGs were deployed, a link through RELEASE."""
THROUGH = "release/dags"
"""What CURRENT leads to then."""
NONE = "not-deployed"
"""The version of a host without deployed DAGs: Airflow cannot store that a version is gone."""


def folder(release):
    """The folder of a release."""
    return RELEASES + "/" + release


def current():
    """The id of the release that is current; "" where DAGs are not deployed but copied, or elsewhere."""
    try:
        if os.readlink(CURRENT) != THROUGH:
            return ""
        return os.path.basename(os.readlink(RELEASE))
    except OSError:
        return ""


def import_paths(root):
    """The folders of a release, or of the link to one, from which its code is imported."""
    return [root + "/dags", root, root + "/plugins"]


def use(release):
    """Have this process, and the programs that it starts, import from a release in place of the current one."""
    ours = import_paths(folder(release))
    sys.path[:] = replaced(sys.path, ours)
    named = os.environ.get("PYTHONPATH", "").split(":")
    os.environ["PYTHONPATH"] = ":".join(replaced(named, ours))


def replaced(paths, ours):
    """Import paths with those of any release replaced by `ours`, at their place; else at the end."""
    kept = [path for path in paths if not _is_of_a_release(path)]
    first = next((n for n, path in enumerate(paths) if _is_of_a_release(path)), len(paths))
    return kept[:first] + ours + kept[first:]


def _is_of_a_release(path):
    return any(path == one or path.startswith(one + "/") for one in (CURRENT, RELEASE, RELEASES))
