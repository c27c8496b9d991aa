"""Has this host's Celery worker consume queues, and asks what it still has to do:

consuming.py only SECONDS QUEUE...  consume these queues and no others, as soon as it answers in these seconds
consuming.py tasks SECONDS          what it runs and has fetched, asked until that is nothing or the seconds are over
"""

import json
import signal
import socket
import sys
import time

TIMEOUT = 5.0
SILENT = 25
"""Seconds beyond those that were given until a broker counts as one that says nothing."""
PAUSE = 0.5


def worker():
    """What Celery calls this host's worker, and the app that talks to it."""
    from airflow.providers.celery.executors.celery_executor import app

    return app, "celery@" + socket.gethostname()


def only(seconds, *wanted):
    """Have it consume these queues alone; whether it does."""
    app, name = worker()
    here = {"destination": [name], "timeout": TIMEOUT, "limit": 1}
    found = answer(app.control.inspect(**here).active_queues, seconds)
    if not found:
        return {"answers": False}
    consumed = {queue["name"] for queue in found[name]}
    for queue in consumed - set(wanted):
        app.control.cancel_consumer(queue, reply=True, **here)
    for queue in set(wanted) - consumed:
        app.control.add_consumer(queue, reply=True, **here)
    return {"answers": True}


def answer(ask, seconds):
    """What a worker answers, asked again until it does or the seconds are over."""
    deadline = time.monotonic() + seconds
    while True:
        found = ask()
        if found or time.monotonic() > deadline:
            return found
        time.sleep(PAUSE)


def tasks(seconds):
    """The tasks that it has, as soon as there is none or the seconds are over."""
    only(seconds)  # one that systemd has started again consumes all its queues
    app, name = worker()
    inspect = app.control.inspect(destination=[name], timeout=TIMEOUT, limit=1)
    deadline, was_empty = time.monotonic() + seconds, False
    while True:
        # In this order: what is fetched becomes active, and never the other way round.
        fetched, active = inspect.reserved(), inspect.active()
        if active is None or fetched is None:
            return {"answers": False}
        found = [described(one) for one in active[name] + fetched[name]]
        if (was_empty and not found) or time.monotonic() > deadline:
            return {"answers": True, "tasks": found}
        was_empty = not found
        time.sleep(PAUSE)


def described(request):
    """A task in Airflow's words, of what Celery was given to run; nothing secret of it."""
    found = {"since": request.get("time_start")}
    arguments = request.get("args") or [""]
    try:
        if isinstance(arguments[0], str):  # a workload of Airflow 3
            task = json.loads(arguments[0])["ti"]
            names = [task["dag_id"], task["task_id"], task["run_id"]]
        else:  # airflow tasks run DAG TASK RUN
            names = arguments[0][3:6]
        return dict(found, dag=names[0], task=names[1], run=names[2])
    except (ValueError, KeyError, IndexError, TypeError):
        return found


ACTIONS = {"only": only, "tasks": tasks}


def main(action, seconds, *names):
    """Do it; a broker that takes a connection and says nothing is a worker that does not answer."""
    signal.signal(signal.SIGALRM, silent)
    signal.alarm(int(float(seconds)) + SILENT)
    try:
        return ACTIONS[action](float(seconds), *names)
    except Silent:
        return {"answers": False}


class Silent(BaseException):
    """No library takes this for an error of its own, and tries again."""


def silent(*_):
    """The alarm."""
    raise Silent


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
