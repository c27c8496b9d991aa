"""Tasks of Airflow 2 talk to the database themselves: their connections wait for a server that is away for a moment.

Units that run tasks name it in database.sql_alchemy_connect_args (release_lines.yml, task_environment), so that
Airflow imports it before it makes its engine; processes that it forks have it as well. Others are not ours: programs
that tasks start do not inherit the variable, and connections to other servers are made as ever.
"""

import logging
import os
import time

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.url import make_url

PATIENCE = 85
"""Seconds. A task without heartbeat runs elsewhere after 75 (scheduler.scheduler_zombie_task_threshold)."""
PAUSE = 0.5
DEFAULTS = {"connect_timeout": 10}
"""Of psycopg2, MySQLdb and PyMySQL alike; without it a connection over a network that is cut hangs for minutes."""
POSTGRESQL = (
    "Connection refused", "Connection reset", "No route to host", "Network is unreachable", "timed out", "timeout expired",
    "Temporary failure in name resolution", "server closed the connection", "the database system is", "terminating connection",
)  # fmt: skip
"""What libpq and a server that comes or goes say; all else, such as a wrong password, is for people to mend."""
MYSQL = (1053, 2002, 2003, 2005, 2006, 2013)
"""ER_SERVER_SHUTDOWN, and CR_ errors: CONNECTION, CONN_HOST, UNKNOWN_HOST, SERVER_GONE, SERVER_LOST."""

connect_args = {}
os.environ.pop("AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS", None)


@event.listens_for(Engine, "do_connect")
def connect(dialect, _record, args, parameters):
    """A connection to Airflow's database, once it is there; None leaves it to SQLAlchemy, and to listeners of others."""
    if len(dialect.dispatch.do_connect) > 1 or not is_airflows(dialect, parameters):
        return None
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return dialect.connect(*args, **{**DEFAULTS, **parameters})
        except dialect.dbapi.OperationalError as error:
            if not is_away(error) or time.monotonic() > deadline:
                raise
            logging.getLogger(__name__).warning("the database is away: %s", str(error).strip())
            time.sleep(PAUSE)


def is_airflows(dialect, parameters):
    """Whether these lead to the database of Airflow itself; tasks have engines of their own."""
    from airflow import settings

    url = make_url(settings.SQL_ALCHEMY_CONN)
    if url.get_backend_name() != dialect.name:
        return False
    _, wanted = dialect.create_connect_args(url)
    return all(parameters.get(name) == value for name, value in wanted.items())


def is_away(error):
    """Whether a driver's error is of a server that cannot be reached, starts or stops."""
    code = error.args[0] if error.args else ""
    if isinstance(code, int):
        return code in MYSQL
    return any(words in str(error) for words in POSTGRESQL)
