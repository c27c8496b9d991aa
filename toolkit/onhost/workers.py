"""On a scheduler host, as root: which queues the Celery workers consume."""

from toolkit.onhost.in_airflow import queues
from toolkit.onhost.lib import in_airflow, wait_until


def main(payload):
    """Queues by worker hostname, asked until as many workers answer as there are."""
    answer = wait_until(
        lambda: in_airflow(queues),
        lambda answer: len(answer.get("queues", {})) >= payload["workers"],
        payload["timeout"],
    )
    return {"queues": answer.get("queues", {}), "error": answer.get("error")}
