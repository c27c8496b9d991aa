#!/usr/bin/python3
"""Brings Airflow's database to the current release's schema, creates missing users, sets passwords.

Reads JSON from standard input: `users`; `outdated`, the names of those whose password examine_database.py
found to be another; `examples`, whether the example DAGs are shown, one of which needs a connection.
Passwords are never in an argument vector. One process does all of it, because importing Airflow costs more
than the work; when nothing is to be done it is not imported at all. Prints a line `CHANGED: ...` for each
thing done.
"""

import fcntl
import json
import os
import pathlib
import re
import runpy
import sys
import urllib.parse

RELEASE = pathlib.Path("/opt/airflow/current").resolve()
ENVIRONMENT = pathlib.Path("/etc/airflow/airflow.env")


def become_airflow():
    """As /usr/local/bin/airflow does: the service user, the units' environment, the release."""
    if "TOOLKIT_PREPARING" in os.environ:
        return
    os.environ.update(variables(ENVIRONMENT.read_text()))
    os.environ["TOOLKIT_PREPARING"] = "1"
    import pwd

    user = pwd.getpwnam("airflow")
    os.environ["HOME"] = user.pw_dir
    os.initgroups("airflow", user.pw_gid)
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.umask(0o027)
    os.chdir(user.pw_dir)
    os.execv(str(RELEASE / "bin/python"), ["python", __file__])


def variables(text):
    """Exactly what templates/airflow.env.j2 writes, as toolkit/onhost/lib.py reads it."""
    quoted = re.findall(r'^(\w+)="((?:[^"\\]|\\.)*)"$', text, re.M | re.S)
    return {name: re.sub(r"\\(.)", r"\1", value, flags=re.S) for name, value in quoted}


def in_database():
    """The schema version, the users and the roles that the database has now."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    tables = set(sqlalchemy.inspect(engine).get_table_names())

    def column(table, name):
        if table not in tables:
            return []
        with engine.connect() as connection:
            return list(
                connection.execute(sqlalchemy.text(f"SELECT {name} FROM {table}")).scalars()
            )

    return (
        sorted(column("alembic_version", "version_num")),
        {name.lower() for name in column("ab_user", "username")},  # as Airflow compares them
        set(column("ab_role", "name")),
    )


def airflow(*arguments):
    """Run Airflow's own command line inside this process."""
    sys.argv = ["airflow", *arguments]
    try:
        runpy.run_module("airflow", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        if end.code:
            sys.exit(f"airflow {' '.join(arguments[:2])} ended with: {end.code}")


def set_password(name, password):
    """Store a user's password as FAB does; its own command for that fails on Airflow 2."""
    import sqlalchemy
    from werkzeug.security import generate_password_hash

    engine = sqlalchemy.create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    change = sqlalchemy.text("UPDATE ab_user SET password = :stored WHERE username = :name")
    with engine.begin() as connection:
        connection.execute(change, {"stored": generate_password_hash(password), "name": name})


def has_connection(name):
    """Whether there is a connection of that name."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
    asked = sqlalchemy.text("SELECT id FROM connection WHERE conn_id = :name")
    with engine.connect() as connection:
        return connection.execute(asked, {"name": name}).first() is not None


def explained(users, outdated, examples):
    """Run `prepare`; on a failure print its cause as the last line, without any secret."""
    try:
        prepare(users, outdated, examples)
        return 0
    except BaseException as error:
        url = urllib.parse.urlsplit(os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"])
        hidden = [user["password"] for user in users] + [url.password or ""]
        cause = f"{type(error).__name__}: {error}".strip().splitlines()[0]
        for value in [*hidden, *(urllib.parse.unquote(value) for value in hidden)]:
            cause = cause.replace(value, "********") if value else cause
        print(f"FAILED: {cause}")
        return 1


def prepare(users, outdated, examples):
    """Compare, then do what is missing."""
    done = pathlib.Path("/var/lib/airflow/.schema")
    # One that a killed run left behind goes on, and two migrations at once fail; this one waits for it.
    lock = done.with_name(".preparing").open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    version, names, roles = in_database()
    wanted = json.dumps([RELEASE.name, version])
    if not version or not done.exists() or done.read_text() != wanted:
        airflow("db", "migrate")
        version, names, roles = in_database()
        done.write_text(json.dumps([RELEASE.name, version]))
        print("CHANGED: schema is now " + ", ".join(version))
    missing = [user for user in users if user["username"].lower() not in names]
    # Admin and Public are always there; the other roles come when permissions are first synced.
    if {user.get("role") or "User" for user in missing} - roles - {"Admin"}:
        airflow("sync-perm")
    for user in missing:
        # With `=`, because a password may begin with a hyphen.
        airflow(
            "users",
            "create",
            "--username=" + user["username"],
            "--password=" + user["password"],
            "--email=" + user["email"],
            "--role=" + (user.get("role") or "User"),
            "--firstname=" + (user.get("first_name") or user["username"]),
            "--lastname=" + (user.get("last_name") or user["username"]),
        )
        print("CHANGED: created user " + user["username"])
    if examples and not has_connection("fs_default"):
        airflow("connections", "add", "fs_default", "--conn-type=fs")
        print("CHANGED: created connection fs_default")
    for user in users:
        if user["username"] in outdated:
            set_password(user["username"], user["password"])
            print("CHANGED: set the password of user " + user["username"])


if __name__ == "__main__":
    become_airflow()
    sys.exit(explained(**json.load(sys.stdin)))
