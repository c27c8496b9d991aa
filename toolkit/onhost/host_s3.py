"""Runs on a host as root, standard library only: has Airflow's own Python do with S3 what logs need."""

import json
import subprocess


def main(payload):
    """What host_s3_attempt.py found, or why it could not run."""
    # As the units: their user, their environment.
    script = '. /etc/airflow/airflow.env; exec /opt/airflow/current/bin/python - "$@"'
    command = ["runuser", "-u", "airflow", "--", "sh", "-ac", script, "sh", payload["folder"]]
    done = subprocess.run(
        command + payload["actions"],
        input=payload["program"].encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        check=False,
    )
    lines = done.stdout.decode(errors="replace").splitlines()
    found = [line[len("FAILED=") :] for line in lines if line.startswith("FAILED=")]
    if found:
        return {"failed": json.loads(found[0])}
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return {"error": said[-1] if said else "no answer"}
