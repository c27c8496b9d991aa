"""Runs on a scheduler host: asks the Celery workers over the broker which queues they consume."""

import json
import subprocess
import time

INSPECT = """
import json, sys
from airflow.providers.celery.executors.celery_executor import app
found = app.control.inspect(timeout=2).active_queues() or {}
print("QUEUES=" + json.dumps({w.partition("@")[2]: [q["name"] for q in qs] for w, qs in found.items()}))
"""


def main(payload):
    """Queues by worker hostname, asked until as many workers answer as there are."""
    deadline = time.time() + payload["timeout"]
    script = ". /etc/airflow/airflow.env; exec /opt/airflow/current/bin/python -"
    command = ["runuser", "-u", "airflow", "--", "sh", "-ac", script]
    while True:
        done = subprocess.run(
            command,
            input=INSPECT.encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
        )
        lines = done.stdout.decode(errors="replace").splitlines()
        found = [line[len("QUEUES=") :] for line in lines if line.startswith("QUEUES=")]
        queues = json.loads(found[0]) if found else {}
        if len(queues) >= payload["workers"] or time.time() > deadline:
            error = (
                done.stderr.decode(errors="replace").strip().splitlines()[-1:] if not found else []
            )
            return {"queues": queues, "error": error[0] if error else None}
