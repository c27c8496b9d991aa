"""What programs on a host share: files, commands, units, sockets, airflow.env, threads, waiting."""

import grp
import json
import os
import pwd
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = "/etc/airflow/airflow.env"
CURRENT = "/opt/airflow/current"
PAUSE = 0.3  # seconds between two questions to something that is on its way up

# Files and users


def read(path):
    """A file's text, "" when it is not there or not for us."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def user_name(uid):
    """A user's name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid):
    """A group's name, or the number where it has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def become(name):
    """Go on as another user, for good."""
    user = pwd.getpwnam(name)
    os.initgroups(name, user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)


# Commands


def output(*command, timeout=4):
    """Standard output of a command, "" when it is not there or takes too long (seconds)."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=timeout, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


def show(units, *properties):
    """Properties of systemd units, a dict a unit; "Id" is its name. [] without systemd."""
    if not units:
        return []
    names = ",".join(("Id", *properties))
    text = output("systemctl", "show", "--property=" + names, "--", *units)
    blocks = [block.splitlines() for block in text.strip().split("\n\n") if block]
    return [dict(line.partition("=")[::2] for line in block) for block in blocks]


def source(module):
    """The text of a module, for another interpreter to run."""
    return module.__loader__.get_source(module.__name__)


# Airflow


def environment(path=ENVIRONMENT):
    """The variables of the units: exactly what roles/airflow/templates/airflow.env.j2 writes."""
    quoted = re.findall(r'^(\w+)="((?:[^"\\]|\\.)*)"$', read(path), re.M | re.S)
    return {name: re.sub(r"\\(.)", r"\1", value, flags=re.S) for name, value in quoted}


def in_airflow(program, *arguments):
    """Run a module of in_airflow/ with Airflow's Python, as the units: their user and environment.

    The answer is the JSON object that it prints, or {"error": its last words}.
    """
    variables = environment()
    home = variables.get("AIRFLOW_HOME", "/")
    runuser = shutil.which("runuser", path=SYSTEM_PATH) or "runuser"
    command = [runuser, "-u", "airflow", "--", CURRENT + "/bin/python", "-"]
    try:
        done = subprocess.run(
            command + list(arguments),
            input=source(program).encode("ascii"),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(variables, HOME=home),
            cwd=home,
            check=False,
        )
    except OSError as error:
        return {"error": str(error)}
    # Plugins and providers may print as well, before the program does.
    answers = [line for line in done.stdout.splitlines() if line.startswith(b"{")]
    if done.returncode == 0 and answers:
        return json.loads(answers[-1].decode("utf-8"))
    words = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return {"error": words[-1] if words else "no reason given"}


# Sockets


def listening():
    """Listening TCP sockets: inode -> (address, port)."""
    found = {}
    for path, family in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        for line in read(path).splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":  # TCP_LISTEN
                address, port = words[1].split(":")
                found[words[9]] = (address_text(address, family), int(port, 16))
    return found


def address_text(text, family):
    """An address of /proc/net/tcp*: words of 32 bits in the machine's byte order."""
    words = [int(text[index : index + 8], 16) for index in range(0, len(text), 8)]
    return socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words))


# Threads and waiting


def in_parallel(calls, wait, late):
    """Results of (function, argument...) calls made at the same time, in their order.

    After `wait` seconds those that are still busy have the result at their place in `late`.
    """
    results = list(late)

    def work(index, function, arguments):
        results[index] = function(*arguments)

    threads = [
        threading.Thread(target=work, args=(index, call[0], call[1:]), daemon=True)
        for index, call in enumerate(calls)
    ]
    deadline = time.monotonic() + wait
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.monotonic()))
    # A copy: a name lookup that hangs may still write into the original.
    return list(results)


def wait_until(ask, done, within):
    """Ask until `done(answer)` holds or `within` seconds are over; the last answer."""
    deadline = time.monotonic() + within
    while True:
        answer = ask()
        if done(answer) or time.monotonic() >= deadline:
            return answer
        time.sleep(PAUSE)
