"""On any host: a task's log in the folder of logs, where Airflow itself cannot get at it."""

import contextlib
import os
import re
import socket

from toolkit.onhost.lib import become
from toolkit.onhost.task_entries import merged, newest

_FILE = re.compile(r"attempt=(\d+)\.log(\..*)?")
"""A try's file, and what a triggerer wrote beside it."""


def main(payload):
    """The newest try that is here: {"run", "attempt", "path", ...}, without them when none is."""
    answer = {"names": [socket.gethostname(), socket.getfqdn()]}
    try:
        become("airflow")  # who could lead root elsewhere in this folder
    except KeyError:  # a host that has never had Airflow
        return answer
    found = list(tries(payload))
    if not found:
        return answer
    run, attempt, map_index = max(found, key=lambda one: found_at(one, payload))[:3]
    parts = sorted(one[3] for one in found if one[:3] == (run, attempt, map_index))
    with contextlib.ExitStack() as opened:
        files = [
            opened.enter_context(open(path, encoding="utf-8", errors="replace")) for path in parts
        ]
        answer.update(newest(merged(files), payload))
    indexes = {one[2] for one in found if one[0] == run}
    return dict(
        answer, run=run, attempt=attempt, path=parts[0], changed=os.stat(parts[0]).st_mtime,
        map_index=map_index, map_indexes=sorted(indexes),
    )  # fmt: skip


def found_at(one, payload):
    """What the newest try has most of: of one run the number, of several the time."""
    return (one[1] if payload["run"] else 0, os.stat(one[3]).st_mtime)


def tries(payload):
    """(run, try, map index or -1, path) of each file that is not empty."""
    if any("/" in payload[name] for name in ("dag", "task", "run")):
        return
    dag = os.path.join(payload["folder"], "dag_id=" + payload["dag"])
    for run in [payload["run"]] if payload["run"] else values(dag, "run_id="):
        task = os.path.join(dag, "run_id=" + run, "task_id=" + payload["task"])
        places = {-1: task} if payload["map_index"] in (None, -1) else {}
        for index in values(task, "map_index="):
            if payload["map_index"] in (None, int(index)):
                places[int(index)] = os.path.join(task, "map_index=" + index)
        for index, place in sorted(places.items()):
            for attempt, path in files(place):
                if payload["attempt"] in (0, attempt):
                    yield run, attempt, index, path


def values(folder, key):
    """What the names of a folder's folders have after a key."""
    return [name[len(key) :] for name in listed(folder) if name.startswith(key)]


def files(folder):
    """(try, path) of each file of a log; an empty one was uploaded, or has not begun."""
    for name in listed(folder):
        found = _FILE.fullmatch(name)
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            if found and os.path.getsize(path):
                yield int(found.group(1)), path


def listed(folder):
    """A folder's names, none where it is not there."""
    try:
        return os.listdir(folder)
    except OSError:
        return []
