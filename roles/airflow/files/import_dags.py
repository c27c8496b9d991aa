#!/usr/bin/python3
"""Imports all DAGs under the Airflow of the environment that runs it, and changes nothing.

Reads JSON from standard input: `environment` and `config`, the texts of airflow.env and airflow.cfg as
they are going to be. Works as the service user, with a database of its own that has the variables and
connections of the real one, still encrypted. Prints a JSON object: `dags`, how many there are, and
`errors`, each with `file`, `line` and `what`.
"""

import json
import os
import pwd
import re
import sys
import tempfile
import traceback

CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
OURS = "/var/lib/airflow/dags/toolkit/"
"""The canary is that of the version that runs, and is written again with the configuration."""


def variables(text):
    """Exactly what templates/airflow.env.j2 writes, as toolkit/onhost/lib.py reads it."""
    quoted = re.findall(r'^(\w+)="((?:[^"\\]|\\.)*)"$', text, re.M | re.S)
    return {name: re.sub(r"\\(.)", r"\1", value, flags=re.S) for name, value in quoted}


def become_airflow(question, scratch):
    """The service user, with the environment that the units are going to have."""
    user = pwd.getpwnam("airflow")
    os.chown(scratch, user.pw_uid, user.pw_gid)
    if os.geteuid() == 0:
        os.initgroups("airflow", user.pw_gid)
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    os.umask(0o077)
    os.environ.update(variables(question["environment"]))
    real = os.environ[CONNECTION]
    config = os.path.join(scratch, "airflow.cfg")
    with open(config, "w") as file:
        file.write(question["config"])
    path = os.environ["PATH"].replace("/opt/airflow/current/bin", os.path.join(sys.prefix, "bin"))
    os.environ.update(
        {
            CONNECTION: f"sqlite:///{scratch}/airflow.db",
            "AIRFLOW_CONFIG": config,
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": os.path.join(scratch, "logs"),
            "HOME": user.pw_dir,
            "PATH": path,
            # As Airflow 3 says that variables are to be read from the database.
            "_AIRFLOW_PROCESS_CONTEXT": "server",
        }
    )
    os.chdir(user.pw_dir)
    sys.path += [path for path in os.environ.get("PYTHONPATH", "").split(":") if path]
    return real


def copy_rows(real):
    """Variables and connections, which DAGs may read while they are imported."""
    import sqlalchemy
    from airflow import settings
    from airflow.models import Connection, Variable

    there = sqlalchemy.create_engine(real)
    for table in (Connection.__table__, Variable.__table__):
        quoted = there.dialect.identifier_preparer.quote(table.name)
        with there.connect() as connection:
            rows = connection.execute(sqlalchemy.text(f"SELECT * FROM {quoted}")).mappings().all()
        shared = [{name: value for name, value in row.items() if name in table.columns and name != "id"}
                  for row in rows]  # fmt: skip
        if shared:
            with settings.engine.begin() as connection:
                connection.execute(table.insert(), shared)


def imported():
    """All DAGs, as the DAG processor finds them."""
    from airflow import settings

    try:
        from airflow.dag_processing.dagbag import DagBag

        return DagBag(settings.DAGS_FOLDER)
    except ImportError:  # Airflow 2
        from airflow.models import DagBag

        return DagBag(settings.DAGS_FOLDER, include_examples=False)


def described(file, text):
    """One error: the line of the file that Python names last, and the last thing it says."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    named = re.findall(r'File "([^"]+)", line (\d+)', text)
    own = [line for path, line in named if os.path.realpath(path) == os.path.realpath(file)]
    return {
        "file": file,
        "line": int(own[-1]) if own else 0,
        "what": lines[-1] if lines else "no reason given",
    }


def main(question):
    """The answer."""
    # Closed on the way out: the interpreter's own last words would come after the answer.
    with tempfile.TemporaryDirectory(prefix="airflow-import-") as scratch:
        real = become_airflow(question, scratch)
        from airflow.utils import db

        db.upgradedb()
        copy_rows(real)
        bag = imported()
        folder = str(bag.dag_folder)
        errors = [
            described(os.path.join(folder, file), text)
            for file, text in sorted(bag.import_errors.items())
            if not os.path.join(folder, file).startswith(OURS)
        ]
        return {"dags": len(bag.dags), "errors": errors}


if __name__ == "__main__":
    try:
        found = main(json.load(sys.stdin))
    except Exception as error:
        traceback.print_exc()
        found = {
            "dags": 0,
            "errors": [],
            "problem": f"{type(error).__name__}: {error}".splitlines()[0],
        }
    print(json.dumps(found))
