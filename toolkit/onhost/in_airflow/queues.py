"""Asks the Celery workers over the broker which queues they consume."""

import json


def main():
    """Queues by worker hostname, of those that answer within two seconds."""
    from airflow.providers.celery.executors.celery_executor import app

    found = app.control.inspect(timeout=2).active_queues() or {}
    return {
        worker.partition("@")[2]: [queue["name"] for queue in queues]
        for worker, queues in found.items()
    }


if __name__ == "__main__":
    print(json.dumps({"queues": main()}))
