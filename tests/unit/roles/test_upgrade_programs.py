"""The programs of an upgrade: what the dump calls, what an import error says, what is stopped in which order."""

from __future__ import annotations

import json
import runpy
import stat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.cluster.tables import release_lines
from toolkit.content import content_dir

FILES = content_dir() / "roles/airflow/files"
DUMP = SimpleNamespace(**runpy.run_path(str(FILES / "dump_database.py")))
IMPORT = SimpleNamespace(**runpy.run_path(str(FILES / "import_dags.py")))
POSTGRES = "postgresql+psycopg2://me:p%2Fw@10.0.0.1:5433/airflow?connect_timeout=5"
MYSQL = "mysql+mysqldb://me:p%2Fw@10.0.0.1/airflow"


@pytest.mark.parametrize(("url", "client", "name"), [
    (POSTGRES, "pg_dump", "PGPASSWORD"), (MYSQL, "mysqldump", "MYSQL_PWD"),
    ("postgresql://me:p%2Fw@db.example.com/x", "pg_dump", "PGPASSWORD"),
    ("mysql+pymysql://me:p%2Fw@db.example.com:3307/x", "mysqldump", "MYSQL_PWD"),
])  # fmt: skip
def test_the_password_is_in_no_argument(url: str, client: str, name: str) -> None:
    arguments, secret, _ = DUMP.command(url, "")
    assert arguments[0] == client
    assert secret[name] == "p/w"
    assert not any("p%2Fw" in one or "p/w" in one for one in arguments)


def test_parameters_and_port_of_the_url_are_kept() -> None:
    arguments, _, ending = DUMP.command(POSTGRES, "/etc/ca.pem")
    assert arguments[-1] == "--dbname=postgresql://me@10.0.0.1:5433/airflow?connect_timeout=5"
    assert ending == "dump"
    assert DUMP.command(POSTGRES, "/etc/ca.pem")[1]["PGSSLMODE"] == "verify-full"
    assert "--port=3306" in DUMP.command(MYSQL, "")[0]


def dump(monkeypatch: pytest.MonkeyPatch, directory: Path, client: str = "", size: int = 0) -> Any:
    """A dump with this text of a client as pg_dump."""
    commands = directory / "bin"
    commands.mkdir(exist_ok=True)
    if client:
        (commands / "pg_dump").write_text("#!/bin/sh\n" + client)
        (commands / "pg_dump").chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:/usr/bin:/bin" if client else str(commands))
    monkeypatch.setitem(DUMP.dump.__globals__, "DIRECTORY", str(directory / "backups"))
    return DUMP.dump({"url": POSTGRES, "ca": "", "bytes": size, "name": "airflow-2.11.2"})


def test_a_dump_is_private_and_whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = Path(dump(monkeypatch, tmp_path, 'printf "%s" "$PGPASSWORD"'))
    assert path.read_text() == "p/w"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_dump_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="pg_dump: server version mismatch"):
        dump(monkeypatch, tmp_path, "echo half; echo server version mismatch >&2; exit 1")
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_dump_is_never_overwritten(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(DUMP.time, "strftime", lambda *_: "20261126T170258Z")
    first = Path(dump(monkeypatch, tmp_path, "echo first"))
    with pytest.raises(OSError, match="there already"):
        dump(monkeypatch, tmp_path, "echo second")
    assert first.read_text() == "first\n"


def test_a_missing_client_and_missing_room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="pg_dump is not installed"):
        dump(monkeypatch, tmp_path)
    with pytest.raises(OSError, match="MB free, the database has"):
        dump(monkeypatch, tmp_path, "echo", size=1 << 60)


TYPE_ERROR = """Traceback (most recent call last):
  File "{file}", line 4, in <module>
    with DAG("old", schedule_interval="@daily"):
         ^^^
  File "/opt/airflow/lib/dag.py", line 9, in __init__
TypeError: DAG.__init__() got an unexpected keyword argument 'schedule_interval'
"""
SYNTAX_ERROR = """Traceback (most recent call last):
  File "<frozen importlib._bootstrap>", line 241, in _call_with_frames_removed
  File "{file}", line 2
    def broken(:
               ^
SyntaxError: invalid syntax
"""
IMPORTED = """Traceback (most recent call last):
  File "{file}", line 1, in <module>
    from shared import helper
  File "/var/lib/airflow/dags/shared.py", line 7, in <module>
    from airflow.operators.bash_operator import BashOperator
ModuleNotFoundError: No module named 'airflow.operators.bash_operator'
"""


@pytest.mark.parametrize(("text", "line", "words"), [
    (TYPE_ERROR, 4, "TypeError: DAG.__init__() got an unexpected"),
    (SYNTAX_ERROR, 2, "SyntaxError: invalid syntax"),
    (IMPORTED, 1, "ModuleNotFoundError: No module named"),
    ("DagBag import timeout for {file} after 30.0s", 0, "DagBag import timeout"),
    ("", 0, "no reason given"),
])  # fmt: skip
def test_an_import_error_has_file_line_and_cause(text: str, line: int, words: str) -> None:
    file = "/var/lib/airflow/dags/current/nightly.py"
    found = IMPORT.described(file, text.format(file=file))
    assert (found["file"], found["line"]) == (file, line)
    assert words in found["what"]


@pytest.mark.parametrize(("answer", "words"), [
    ({"dags": 3, "errors": []}, []),
    ({"dags": 0, "errors": [{"file": "/d/a.py", "line": 4, "what": "boom"}]},
     ["1 file(s) of DAGs cannot be imported by Airflow 3.3.2", "/d/a.py:4: boom"]),
    ({}, ["the DAGs could not be imported under Airflow 3.3.2: no reason given"]),
    ({"dags": 0, "errors": [], "problem": "OSError: x"},
     ["the DAGs could not be imported under Airflow 3.3.2: OSError: x"]),
])  # fmt: skip
def test_what_ansible_says_of_the_dags(answer: dict[str, Any], words: list[str]) -> None:
    assert FILTERS["plan_import_errors"](answer, "3.3.2") == words


FILTERS = runpy.run_path(str(content_dir() / "roles/airflow/filter_plugins/airflow_plan.py"))[
    "FilterModule"
]().filters()


def test_the_web_server_is_stopped_last() -> None:
    stops = FILTERS["plan_stops"](release_lines())
    web = {"airflow-webserver.service", "airflow-api-server.service"}
    assert web & set(stops["first"]) == set()
    assert set(stops["last"]) == set(stops["first"]) | web
    assert json.dumps(stops)
