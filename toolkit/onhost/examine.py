"""Runs roles/airflow/files/examine_database.py with the Python of the release that is current."""

import json
import os
import subprocess

from toolkit.onhost.lib import CURRENT


def main(payload):
    """Its answer to payload["question"]; {} where there is no release."""
    python = CURRENT + "/bin/python"
    if not os.path.exists(python):
        return {}
    # The question has secrets, so it goes by standard input, and the program, which has none, does not.
    done = subprocess.run(
        [python, "-I", "-c", payload["program"]],
        input=json.dumps(payload["question"]).encode("ascii"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout.decode("ascii"))
