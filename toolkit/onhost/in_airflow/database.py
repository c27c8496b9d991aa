"""What Airflow's database says, PostgreSQL or MySQL:

database.py jobs TYPE...   schema version, and each host's newest job of these types
database.py health TYPE... the same, the tasks that wait, run or are silent, and how the canary ended
database.py releases       how many unfinished runs each release of DAGs has, and which releases DAGs are of
database.py unpaused DAG   the DAGs that are not paused, without this one, and how many tasks run
database.py pause DAG...   pauses them
database.py unpause DAG...
"""

import json
import os
import signal
import sys
from urllib.parse import parse_qsl, unquote, urlsplit

PATIENCE = 30  # seconds; who asks gives up earlier
CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
CANARY = "toolkit_canary"
SILENT = 25  # seconds; a task gives a heartbeat every 5 s, every 15 on a busy machine, and is given up after 75
# Whatever its state: one that was killed is called running until somebody looks at its heartbeat, and one that hangs
# is called failed once another scheduler did.
JOBS = """SELECT job_type, hostname, {age} FROM job WHERE id IN (
    SELECT max(id) FROM job WHERE job_type IN ({types}) GROUP BY job_type, hostname)"""


def connect(url):
    """A connection with the driver that a URL of SQLAlchemy names, and SQL for the age of a column in seconds."""
    parts = urlsplit(url)
    name = unquote(parts.path[1:])
    login = {
        "host": parts.hostname,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "connect_timeout": 3,
    }
    # What is not said is the driver's to choose, as with Airflow.
    login = {name: value for name, value in login.items() if value}
    if parts.scheme.startswith("postgres"):
        import psycopg2

        login.update(parse_qsl(parts.query))
        age = "extract(epoch from now() - {})"
        return psycopg2.connect(port=parts.port or 5432, dbname=name, **login), age
    if parts.scheme.endswith("pymysql"):
        from pymysql import connect as connect_mysql
    else:
        from MySQLdb import connect as connect_mysql
    age = "timestampdiff(MICROSECOND, {}, utc_timestamp(6)) / 1000000"
    # A TIMESTAMP comes in the session's zone, which is the server's unless somebody says otherwise, as Airflow does.
    login.update(port=parts.port or 3306, database=name, **options_of(url))
    login["init_command"] = "SET time_zone = '+00:00'"
    return connect_mysql(**login), age


def options_of(url):
    """What a URL of MySQL has behind its question mark (TLS, a socket), as its driver takes it: SQLAlchemy knows."""
    if "?" not in url:
        return {}  # to import it takes a while
    from sqlalchemy.engine import make_url

    parsed = make_url(url)
    _, found = parsed.get_dialect()().create_connect_args(parsed)
    login = ("host", "user", "username", "password", "passwd", "db", "database", "port")
    return {name: value for name, value in found.items() if name not in login}


def jobs(cursor, age, types):
    """Versions of the schema, and each host's newest job of these types with the seconds since its heartbeat."""
    cursor.execute("SELECT version_num FROM alembic_version")
    schema = ",".join(sorted(row[0] for row in cursor))
    marks = ", ".join(["%s"] * len(types))
    cursor.execute(JOBS.format(age=age.format("latest_heartbeat"), types=marks), types)
    found = [{"type": kind, "hostname": host, "age": float(age)} for kind, host, age in cursor]
    return {"schema": schema, "jobs": found}


def health(cursor, age, types):
    """What jobs() says; queues with tasks that wait, how many tasks run, on which hosts silently, and the canary."""
    found = jobs(cursor, age, types)
    cursor.execute(
        "SELECT queue, count(*), max({}) FROM task_instance WHERE state = 'queued' "
        "AND queued_dttm IS NOT NULL GROUP BY queue".format(age.format("queued_dttm"))
    )
    found["queued"] = [
        {"queue": queue, "tasks": count, "oldest": float(oldest)} for queue, count, oldest in cursor
    ]
    cursor.execute("SELECT count(*) FROM task_instance WHERE state = 'running'")
    found["running"] = cursor.fetchone()[0]
    found["silent"] = silent(cursor, age)
    found["canary"] = canary(cursor, age)
    return found


def silent(cursor, age):
    """Hosts with tasks that run, with how many and the seconds since the oldest heartbeat of one of theirs."""
    cursor.execute("SELECT * FROM task_instance WHERE 1 = 0")
    columns = {column[0] for column in cursor.description}
    beat, source = ("t.last_heartbeat_at", "task_instance t")
    if "last_heartbeat_at" not in columns:  # Airflow 2: of the job that runs it
        beat, source = ("j.latest_heartbeat", "task_instance t JOIN job j ON j.id = t.job_id")
    cursor.execute(
        "SELECT t.hostname, {0} FROM {1} WHERE t.state = 'running' AND {2} IS NOT NULL".format(
            age.format(beat), source, beat
        )
    )
    ages = {}
    for host, seconds in cursor:
        if seconds > SILENT:
            ages.setdefault(host, []).append(float(seconds))
    return [{"host": host, "tasks": len(ones), "oldest": max(ones)} for host, ones in ages.items()]


def canary(cursor, age):
    """The newest run of the canary DAG, if it failed; one that succeeded was removed, or will be."""
    cursor.execute(
        "SELECT run_id, state, {} FROM dag_run WHERE dag_id = %s ORDER BY id DESC LIMIT 1".format(
            age.format("end_date")
        ),
        (CANARY,),
    )
    run, state, ended = cursor.fetchone() or ("", "", None)
    if state != "failed":
        return None
    cursor.execute(
        "SELECT task_id, state FROM task_instance WHERE dag_id = %s AND run_id = %s", (CANARY, run)
    )
    tasks = [{"task": task, "state": how} for task, how in cursor]
    return {"tasks": tasks, "age": None if ended is None else float(ended)}


def releases(cursor, _age, _arguments):
    """What Airflow 3 needs of the DAG bundles' versions; the names of bundles are not with a run."""
    cursor.execute(
        "SELECT bundle_version, count(*) FROM dag_run WHERE state IN ('queued', 'running') "
        "AND bundle_version IS NOT NULL GROUP BY bundle_version"
    )
    runs = dict(cursor.fetchall())
    cursor.execute(
        "SELECT DISTINCT bundle_version FROM dag WHERE NOT is_stale AND bundle_version IS NOT NULL"
    )
    return {"runs": runs, "parsed": [row[0] for row in cursor]}


def unpaused(cursor, _age, without):
    """The DAGs that are scheduled, and how many tasks run or are about to."""
    cursor.execute("SELECT dag_id FROM dag WHERE NOT is_paused AND dag_id <> %s", without)
    dags = sorted(row[0] for row in cursor)
    cursor.execute("SELECT count(*) FROM task_instance WHERE state IN ('queued', 'running')")
    return {"dags": dags, "tasks": cursor.fetchone()[0]}


def pause(cursor, _age, dags):
    """Have the scheduler pass them over; what runs goes on."""
    return switch(cursor, "true", dags)


def unpause(cursor, _age, dags):
    """Have the scheduler look at them again."""
    return switch(cursor, "false", dags)


def switch(cursor, paused, dags):
    """How many were found."""
    names = ", ".join(["%s"] * len(dags))
    cursor.execute("UPDATE dag SET is_paused = %s WHERE dag_id IN (%s)" % (paused, names), dags)
    return {"changed": cursor.rowcount}


QUESTIONS = {
    "jobs": jobs, "health": health, "releases": releases, "unpaused": unpaused, "pause": pause, "unpause": unpause,
}  # fmt: skip


def main(question, *arguments):
    """The answer to one of them; a server that says nothing would be waited for without end."""
    signal.alarm(PATIENCE)
    connection, age = connect(os.environ[CONNECTION])
    answer = QUESTIONS[question](connection.cursor(), age, arguments)
    connection.commit()
    return answer


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
