"""On a scheduler host, as root: what the Celery workers say of themselves."""

from toolkit.onhost.in_airflow import queues
from toolkit.onhost.lib import in_airflow, wait_until


def main(payload):
    """Queues by worker hostname, asked until as many workers answer as there are."""
    answer = wait_until(
        lambda: ask("queues", 2, payload["workers"]),
        lambda answer: len(answer.get("queues", {})) >= payload["workers"],
        payload["timeout"],
    )
    return {"queues": answer.get("queues", {}), "error": answer.get("error")}


def named(payload):
    """The answer of certain workers, by their hostnames, to one question."""
    names = payload["names"]
    return ask(payload["question"], payload["patience"], len(names), *names)


def ask(question, patience, workers, *names):
    """One of the questions of in_airflow/queues.py, and its answer."""
    return in_airflow(queues, question, str(patience), str(workers), *names)
