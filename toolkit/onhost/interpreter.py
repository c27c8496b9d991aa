"""Run by each Python of a host: prints its version, and which modules that Airflow needs it lacks."""

import importlib.util
import json
import sys

# What distributions and own builds leave out of a Python: its parts written in C (they stand for
# the modules of the same name; loading them is quick and proves their libraries), and two others.
EXTENSIONS = ["_ctypes", "_ssl", "_sqlite3", "_bz2", "_lzma", "zlib"]
MODULES = ["venv", "ensurepip"]


def loads(name):
    """Whether a module can be imported."""
    try:
        __import__(name)
    except ImportError:
        return False
    return True


def missing():
    """Names of the modules that are not there, as users know them."""
    found = [name for name in MODULES if not importlib.util.find_spec(name)]
    return found + [name.lstrip("_") for name in EXTENSIONS if not loads(name)]


if __name__ == "__main__":
    version = "%d.%d.%d" % sys.version_info[:3]
    print(json.dumps({"version": version, "missing": missing()}))
