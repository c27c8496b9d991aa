"""Asks the Celery workers over the broker:

queues.py queues PATIENCE WORKERS [NAME...]   which queues they consume
queues.py slots PATIENCE WORKERS [NAME...]    how many tasks each can run at once, and how many it has

PATIENCE is the seconds that they have to answer; the answer is complete, and comes at once, when WORKERS of
them have. NAMEs are hostnames: of these alone.
"""

import json
import os
import signal
import sys
from configparser import ConfigParser

BROKER = "AIRFLOW__CELERY__BROKER_URL"
TRANSPORT = "celery_broker_transport_options"
# Options that say more about the broker than its URL does.
DECIDING = ("ssl_active", "celery_config_options", "extra_celery_config")
CONNECTING = 8  # seconds, beside the patience with the workers


def celery():
    """Celery as Airflow sets it up.

    Without the import of Airflow, which takes ten times as long as the question, where the URL of the broker
    in the units' environment is all that one has to know.
    """
    if not by_url_alone(configuration(), os.environ):
        from airflow.providers.celery.executors.celery_executor import app

        return app
    from celery import Celery

    found = Celery("airflow", broker=os.environ[BROKER], set_as_current=False)
    found.conf.update(
        accept_content=["json"],
        broker_transport_options={"socket_connect_timeout": 3, "max_retries": 1},
    )
    return found


def configuration():
    """Airflow's configuration file."""
    found = ConfigParser(interpolation=None, strict=False)
    found.read(os.environ.get("AIRFLOW_CONFIG", ""), encoding="utf-8")
    return found


def by_url_alone(file, variables):
    """Whether it is a Redis, and no option of the file or of the environment says more of it than its URL."""
    if not variables.get(BROKER, "").startswith("redis"):
        return False
    named = {"AIRFLOW__CELERY__%s" % name.upper() for name in DECIDING}
    if named & set(variables) or any(file.has_option("celery", name) for name in DECIDING):
        return False
    # It is about unfinished tasks of workers that are gone.
    harmless = {"visibility_timeout"}
    transport = (
        set(file[TRANSPORT]) - set(file.defaults()) if file.has_section(TRANSPORT) else set()
    )
    prefix = "AIRFLOW__%s__" % TRANSPORT.upper()
    transport |= {name[len(prefix) :].lower() for name in variables if name.startswith(prefix)}
    return transport <= harmless


def queues(inspect):
    """Hostname -> names of the queues that it consumes."""
    found = inspect.active_queues() or {}
    return {"queues": by_host(found, lambda ones: [one["name"] for one in ones])}


def slots(inspect):
    """Hostname -> how many tasks it can run at once; and how many it has, of which it has begun all that it can."""
    most = inspect.stats() or {}
    has = inspect.active() or {}
    return {
        "slots": by_host(most, lambda one: one.get("pool", {}).get("max-concurrency", 0)),
        "busy": by_host(has, len),
    }


def by_host(found, value):
    """A value of each worker's answer, by its hostname."""
    return {worker.partition("@")[2]: value(answer) for worker, answer in found.items()}


def give_up(*_):
    """End at once, whatever the libraries are at."""
    os.write(2, b"no answer in time\n")
    os._exit(1)


QUESTIONS = {"queues": queues, "slots": slots}


def main(question, patience, workers, *names):
    """The answer to one of them."""
    # A broker that takes a connection and says nothing would be waited for without end.
    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(int(float(patience)) + CONNECTING)
    inspect = celery().control.inspect(
        timeout=float(patience),
        limit=int(workers),
        destination=["celery@" + name for name in names] or None,
    )
    return QUESTIONS[question](inspect)


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
