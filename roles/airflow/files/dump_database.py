#!/usr/bin/python3
"""Dumps the metadata database into a file that is never overwritten, with the engine's own client.

Reads JSON from standard input: `url`, as this host reaches the database; `ca`, the path of its
authority's certificate, or ""; `bytes`, how much the database holds; `name`, what the file's name
begins with. Prints a JSON object: `path`, or `problem`.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from urllib.parse import unquote, urlsplit, urlunsplit

DIRECTORY = "/var/backups/airflow-toolkit"
SPARE = 100 << 20
"""Bytes that stay free."""


def is_mysqls(client):
    """Whether a client is MySQL's own; MariaDB's has fewer options."""
    try:
        said = subprocess.run([client, "--version"], stdout=subprocess.PIPE, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return False
    return b"MariaDB" not in said


def command(url, ca):
    """The client's arguments, its environment with the password, and the ending of the file."""
    parts = urlsplit(url)
    password = unquote(parts.password or "")
    if parts.scheme.startswith("postgres"):
        place = parts.netloc.rpartition("@")[2]
        address = urlunsplit(
            ("postgresql", f"{parts.username}@{place}", parts.path, parts.query, "")
        )
        secure = {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": ca} if ca else {}
        return ["pg_dump", "-Fc", "--dbname=" + address], dict(secure, PGPASSWORD=password), "dump"
    arguments = [
        "mysqldump",
        "--host=" + (parts.hostname or ""),
        "--port=" + str(parts.port or 3306),
        "--user=" + unquote(parts.username or ""),
        "--single-transaction",
        "--routines",
        "--no-tablespaces",
        # With it the server wants a privilege (RELOAD) that Airflow's user has no other need of.
        *["--set-gtid-purged=OFF"] * is_mysqls("mysqldump"),
        unquote(parts.path[1:]),
    ]
    return arguments, {"MYSQL_PWD": password}, "sql"


def dump(question):
    """The path of the dump; raises OSError with the reason where there is none."""
    arguments, secret, ending = command(question["url"], question["ca"])
    if not shutil.which(arguments[0]):
        raise OSError(f"{arguments[0]} is not installed")
    os.makedirs(DIRECTORY, mode=0o700, exist_ok=True)
    free = shutil.disk_usage(DIRECTORY).free
    if free < question["bytes"] + SPARE:
        raise OSError(
            f"{DIRECTORY} has {free >> 20} MB free, the database has {question['bytes'] >> 20} MB"
        )
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    path = f"{DIRECTORY}/{question['name']}-{stamp}.{ending}"
    part = path + ".part"
    if os.path.exists(path):
        raise OSError(f"{path} is there already")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    done = subprocess.run(arguments, stdout=file, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, **secret), check=False)  # fmt: skip
    os.fsync(file)
    os.close(file)
    if done.returncode != 0:
        os.unlink(part)
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise OSError(f"{arguments[0]}: {said[-1] if said else 'no reason given'}")
    os.rename(part, path)
    return path


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    try:
        print(json.dumps({"path": dump(asked)}))
    except OSError as error:
        by_hand = " ".join(command(asked["url"], asked["ca"])[0])
        print(json.dumps({"problem": str(error), "by_hand": by_hand}))
