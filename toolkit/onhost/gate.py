"""Imports a release of DAGs as the unit that parses DAGs does: its sandbox, user, environment and secrets.

Starts in_airflow/dags.py in a unit made of that unit's options, and hands on what it answers. It goes on to run
between the calls of one deploy, since Airflow takes seconds to be imported; it ends by itself when nobody comes.
"""

import contextlib
import grp
import json
import os
import shutil
import subprocess
import time

from toolkit.onhost.in_airflow import dags
from toolkit.onhost.lib import output, show, source

ROOT = "/run/airflow-toolkit"
PREFIX = "airflow-toolkit-gate-"
UNITS = "/run/systemd/system"
PYTHON = "/opt/airflow/current/bin/python"
LEFT_OUT = (
    "Exec", "Type", "Restart", "PIDFile", "BusName", "NotifyAccess", "WatchdogSec", "Kill", "Timeout", "RemainAfterExit",
    "Standard", "Sockets", "RuntimeDirectory", "RuntimeMaxSec", "SuccessExitStatus", "OOM", "GuessMainPID",
)  # fmt: skip
"""Beginnings of options that are about the unit's own process, and not about what it may do."""
PRINTED = 100 << 20
"""Bytes that DAGs may print while they are imported: /run is memory."""
LASTS = 1800
"""Seconds after which systemd ends a gate that a control machine has left behind."""


def main(payload):
    """Do what payload["action"] says: begin, examine, keep, clear or end."""
    return ACTIONS[payload["action"]](payload)


def begin(payload):
    """Start it; it waits for the release to be there."""
    clear()
    options = sandbox(payload["unit"])
    if not options:
        return {"error": "%s is not on this host" % payload["unit"]}
    token = payload["token"]
    # Whatever the umask is; what DAGs print is for the service user alone.
    os.makedirs(place(token))
    os.chmod(ROOT, 0o755)
    os.chown(place(token), 0, grp.getgrnam("airflow").gr_gid)
    os.chmod(place(token), 0o750)
    store(place(token, "program.py"), source(dags))
    store(place(token, "question.json"), json.dumps(payload["question"]))
    os.makedirs(UNITS, exist_ok=True)
    store(os.path.join(UNITS, unit(token)), unit_text(token, options))
    done = subprocess.run(
        ["systemctl", "start", unit(token)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    return {"error": done.stderr.decode("utf-8", "replace").strip() if done.returncode else ""}


def place(token, name=""):
    """Where a gate keeps its files."""
    return os.path.join(ROOT, "gate-" + token, name)


def unit(token):
    """The name of a gate's unit."""
    return PREFIX + token + ".service"


def store(path, text):
    """Write a file that everybody may read who comes to it, whatever the umask is."""
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, 0o644)


def sandbox(name):
    """The lines of a unit's [Service] sections, drop-ins included, that say what it may do."""
    kept, section, goes_on, keeps = [], "", False, False
    for line in output("systemctl", "cat", "--", name).splitlines():
        if not goes_on and line.startswith("["):
            section = line.strip()
            continue
        if not goes_on:
            keeps = (
                section == "[Service]"
                and "=" in line
                and not line.startswith(("#", ";", *LEFT_OUT))
            )
        if keeps:
            kept.append(line)
        goes_on = line.endswith("\\")
    return kept


def unit_text(token, options):
    """The unit. It is read when it is first started, so that no other unit is read again."""
    lines = [
        "[Unit]",
        "Description=Airflow toolkit: import DAGs before they are deployed",
        "[Service]",
        *options,
        "Type=exec",
        "RuntimeDirectory=" + PREFIX + token,
        "ExecStart=%s %s %s" % (PYTHON, place(token, "program.py"), place(token, "question.json")),
        "Environment=PYTHONWARNINGS=ignore",
        "StandardInput=null",
        "StandardOutput=file:" + place(token, "answers"),
        "StandardError=file:" + place(token, "errors"),
        "KillMode=control-group",
        "RuntimeMaxSec=%d" % LASTS,
        "LimitFSIZE=%d" % PRINTED,
    ]
    return "\n".join(lines) + "\n"


def examine(payload):
    """What it found in the release."""
    return answer(payload["token"], "found", payload["timeout"])


def keep(payload):
    """Have it write DAGs into Airflow's database, as the unit does."""
    store(place(payload["token"], "go.new"), json.dumps(payload["dags"]))
    os.rename(place(payload["token"], "go.new"), place(payload["token"], "go"))
    return answer(payload["token"], "stored", payload["timeout"])


def answer(token, kind, timeout):
    """Its next answer of a kind, or {"error": why there is none, "reading": the file that it was at}."""
    deadline = time.monotonic() + timeout
    reading, asked = "", time.monotonic()
    while True:
        for line in lines(place(token, "answers")):
            if kind in line:
                return line
            reading = line.get("reading", reading)
        now = time.monotonic()
        if now - asked > 0.5:
            asked = now
            how = ended(token)
            if how and not any(kind in line for line in lines(place(token, "answers"))):
                return {"error": how if reading else last_words(token), "reading": reading}
        if now > deadline:
            return {"error": "all of it took longer than %d s" % timeout, "reading": reading}
        time.sleep(0.03)


def lines(path):
    """The whole lines that it has written so far."""
    try:
        with open(path, "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return []
    found = []
    for line in text.split("\n")[:-1]:
        with contextlib.suppress(ValueError):
            found.append(json.loads(line))
    return found


def ended(token):
    """How its process ended, in words; "" while it runs."""
    found = show([unit(token)], "ActiveState", "ExecMainCode", "ExecMainStatus")
    if not found:  # systemd takes its time
        return ""
    values = found[0]
    if values.get("ActiveState") in ("active", "activating"):
        return ""
    killed = values.get("ExecMainCode") != "1"  # CLD_EXITED
    how = "signal %s" if killed else "exit status %s"
    return "the import ended its process, %s" % (how % values.get("ExecMainStatus", "unknown"))


def last_words(token):
    """The end of what it wrote to standard error."""
    try:
        with open(place(token, "errors"), "rb") as file:
            text = file.read().decode("utf-8", "replace")
    except OSError:
        text = ""
    words = [line for line in text.splitlines() if line.strip()]
    return words[-1] if words else "it ended without a word"


def clear(_payload=None):
    """Stop those of deploys that were killed: the lease lets in one at a time."""
    for name in os.listdir(UNITS) if os.path.isdir(UNITS) else ():
        if name.startswith(PREFIX):
            finish(name[len(PREFIX) : -len(".service")])
    return {}


def end(payload):
    """Stop it, and remove what it had."""
    finish(payload["token"])
    return {}


def finish(token):
    """The same, for one of an earlier deploy as well."""
    for verb in ("stop", "reset-failed"):
        subprocess.run(
            ["systemctl", verb, unit(token)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    with contextlib.suppress(FileNotFoundError):
        os.remove(os.path.join(UNITS, unit(token)))
    shutil.rmtree(place(token), ignore_errors=True)


ACTIONS = {"begin": begin, "examine": examine, "keep": keep, "clear": clear, "end": end}
