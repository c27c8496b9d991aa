"""Runs on a host as root, standard library only: units, release, secrets' digests, heartbeats."""

import hashlib
import hmac
import json
import os
import shlex
import subprocess
import time

ENVIRONMENT = "/etc/airflow/airflow.env"
CURRENT = "/opt/airflow/current"
PROPERTIES = (
    "Id,ActiveState,SubState,NRestarts,ActiveEnterTimestampMonotonic,MemoryCurrent,ControlGroup"
)
CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
DATABASE_SCRIPT = """
import json, os, sys
from urllib.parse import unquote, urlsplit, parse_qsl
url = urlsplit(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
login = dict(host=url.hostname, user=unquote(url.username), password=unquote(url.password or ""),
    connect_timeout=3)
if url.scheme.startswith("postgres"):
    import psycopg2
    connection = psycopg2.connect(port=url.port or 5432, dbname=unquote(url.path[1:]), **login,
        **dict(parse_qsl(url.query)))
    age = "extract(epoch from now() - max(latest_heartbeat))"
else:
    if url.scheme.endswith("pymysql"):
        import pymysql as driver
    else:
        import MySQLdb as driver
    connection = driver.connect(port=url.port or 3306, database=unquote(url.path[1:]), **login)
    age = "timestampdiff(MICROSECOND, max(latest_heartbeat), utc_timestamp(6)) / 1000000"
cursor = connection.cursor()
cursor.execute("SELECT version_num FROM alembic_version")
schema = ",".join(sorted(row[0] for row in cursor))
cursor.execute("SELECT job_type, hostname, " + age +
    " FROM job WHERE state = 'running' GROUP BY job_type, hostname")
print(json.dumps({"schema": schema, "jobs": [[t, h, float(age)] for t, h, age in cursor]}))
"""


def environment():
    """The variables of airflow.env; {} where there is none."""
    found = {}
    if os.path.exists(ENVIRONMENT):
        with open(ENVIRONMENT) as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    name, _, value = line.rstrip("\n").partition("=")
                    found[name] = "".join(shlex.split(value))
    return found


def pss_mb(group):
    """Memory of a control group's processes in MB, each shared page counted once."""
    total = 0
    for folder, _, files in os.walk("/sys/fs/cgroup" + group):
        if "cgroup.procs" in files:
            with open(folder + "/cgroup.procs") as file:
                for pid in file.read().split():
                    try:
                        with open("/proc/%s/smaps_rollup" % pid) as rollup:
                            total += next(int(x.split()[1]) for x in rollup if x.startswith("Pss:"))
                    except (OSError, StopIteration):
                        pass
    return total // 1024


def units(names):
    """State of the named units, from one call of systemctl."""
    if not names:
        return {}
    files = ["airflow-%s.service" % name for name in names]
    text = subprocess.run(
        ["systemctl", "show", "--property=" + PROPERTIES, *files],
        stdout=subprocess.PIPE,
        check=False,
    ).stdout.decode()
    booted = time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)
    found = {}
    for block in text.strip().split("\n\n"):
        values = dict(line.partition("=")[::2] for line in block.splitlines())
        name = values["Id"][len("airflow-") : -len(".service")]
        memory = values.get("MemoryCurrent", "")
        known = memory.isdigit() and int(memory) < 2**60
        started = int(values.get("ActiveEnterTimestampMonotonic") or 0) / 1e6
        found[name] = {
            "active": values["ActiveState"],
            "sub": values["SubState"],
            "restarts": int(values.get("NRestarts") or 0),
            "since": booted + started if started else None,
            "memory_mb": int(memory) // 2**20 if known else pss_mb(values.get("ControlGroup", "")),
        }
        if values["ActiveState"] != "active":
            found[name]["journal"] = journal(values["Id"])
    return found


def journal(unit):
    """The last lines a unit wrote."""
    command = ["journalctl", "--unit", unit, "--lines", "5", "--output", "cat", "--no-pager"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return done.stdout.decode(errors="replace").splitlines()


def database(variables):
    """Schema version and running jobs with the age of their heartbeats in seconds."""
    if not variables.get(CONNECTION, "").startswith(("postgres", "mysql")):
        return None
    done = subprocess.run(
        [CURRENT + "/bin/python", "-"], input=DATABASE_SCRIPT.encode(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env=dict(os.environ, **variables), check=False,
    )  # fmt: skip
    if done.returncode:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        return {"error": lines[-1]}
    return json.loads(done.stdout)


def listening():
    """TCP ports that something listens on."""
    ports = set()
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        if os.path.exists(path):
            with open(path) as file:
                rows = [line.split() for line in file.read().splitlines()[1:]]
            ports |= {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == "0A"}
    return sorted(ports)


def main(payload):
    """All of it as JSON data."""
    variables = environment()
    nonce = payload["nonce"].encode()
    return {
        "units": units(payload["components"]),
        "release": os.path.basename(os.path.realpath(CURRENT)) if os.path.exists(CURRENT) else None,
        "digests": {
            name: hmac.new(nonce, value.encode(), hashlib.sha256).hexdigest()
            for name, value in variables.items()
            if name in payload["secrets"]
        },
        "database": database(variables) if payload["database"] else None,
        "ports": listening(),
        "hostname": os.uname()[1],
        "clock": time.time(),
    }
