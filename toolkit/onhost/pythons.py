"""The Pythons of a host, with the modules that Airflow or its installation needs."""

import glob
import json
import os
import re
import shutil

from toolkit.onhost import interpreter
from toolkit.onhost.lib import SYSTEM_PATH, in_parallel, output, source


def pythons(wanted):
    """Every Python 3 here, with the modules that Airflow or its installation needs."""
    default = shutil.which("python3", path=SYSTEM_PATH) or ""
    patterns = ["/usr/bin/python3.*", "/usr/local/bin/python3.*", "/opt/*/bin/python3.*"]
    candidates = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    candidates = [path for path in candidates if re.search(r"python3\.\d+$", path)]
    by_file = {}
    for path in [default, *candidates, wanted]:
        if path and os.access(path, os.X_OK):
            by_file.setdefault(os.path.realpath(path), path)
    calls = [(python_facts, path) for path in by_file.values()]
    found = in_parallel(calls, 4, [None] * len(calls))
    found = [python for python in found if python]  # without those that do not run
    for python in found:
        same = os.path.realpath(python["path"])
        python["default"] = bool(default) and same == os.path.realpath(default)
        python["wanted"] = bool(wanted) and same == os.path.realpath(wanted)
    return found


def python_facts(path):
    """One interpreter's version and the modules it lacks."""
    text = output(path, "-I", "-S", "-c", source(interpreter))
    return dict(json.loads(text), path=path) if text else None
