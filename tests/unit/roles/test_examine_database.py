"""What is pure of the program that examines the database: keys, users, passwords, versions."""

from __future__ import annotations

import hashlib
import json
import runpy
from base64 import urlsafe_b64encode
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.fernet import Fernet, MultiFernet

from toolkit.content import content_dir

FILES = content_dir() / "roles/airflow/files"
PROGRAM = SimpleNamespace(**runpy.run_path(str(FILES / "examine_database.py")))
OLD, NEW, OTHER = (urlsafe_b64encode(bytes([n]) * 32).decode() for n in range(3))


def sealed(text: str, key: str = OLD) -> str:
    return Fernet(key).encrypt(text.encode()).decode()


class Rows:
    """A database of these rows, by the table that is asked for."""

    def __init__(self, kind: str = "postgres", **tables: list[tuple[Any, ...]]) -> None:
        self.kind = kind
        self.tables = set(tables) | ({"ab_role", "ab_user_role"} if "ab_user" in tables else set())
        self._rows = {
            PROGRAM.SEALED.get(table, PROGRAM.USERS): rows for table, rows in tables.items()
        } | {PROGRAM.ADMINS: [(1,)]}

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        return self._rows[query]


def held() -> Rows:
    return Rows(
        connection=[
            ("plain", "password", False, None, None),
            ("empty", "", True, None, True),
            ("sealed", sealed("p"), True, sealed("{}"), True),
            ("extra", None, True, sealed("{}"), 1),
        ],
        variable=[("v", sealed("x"), True), ("clear", "x", None)],
        trigger=[(7, sealed("{}"), 1), (8, '{"moment": 1}', 1)],
    )


@pytest.mark.parametrize("key", [OLD, f"{NEW},{OLD}", f"{NEW}, {OLD} ", f"{OLD},{OTHER}"])
def test_keys_that_decrypt_everything(key: str) -> None:
    assert PROGRAM.fernet_problems(held(), {"fernet_key": key, "inventory": "DIR"}, "") == []


@pytest.mark.parametrize("key", [NEW, f"{NEW},{OTHER}", ""])
def test_a_key_that_does_not_names_what_is_lost(key: str) -> None:
    asked = {"fernet_key": key, "inventory": "DIR"}
    (found,) = PROGRAM.fernet_problems(held(), asked, OLD)
    assert (found["id"], found["severity"]) == ("database.fernet_key", "error")
    assert "2 connections (sealed, extra), 1 trigger (7) and 1 variable (v)" in found["what"]
    assert "toolkit secrets recover -i DIR" in found["fix"]
    assert not any(one and one in json.dumps(found) for one in key.split(","))


def test_a_value_that_was_lost_before_is_no_new_harm() -> None:
    database = Rows(variable=[("good", sealed("x"), True), ("lost", sealed("x", OTHER), True)])
    asked = {"fernet_key": OLD, "inventory": "DIR"}
    assert PROGRAM.fernet_problems(database, asked, OLD)[0]["severity"] == "warning"
    assert PROGRAM.fernet_problems(database, asked, NEW)[0]["severity"] == "error"
    # A database of somebody else, put in the place of this one.
    alien = Rows(variable=[("lost", sealed("x", OTHER), True)])
    assert PROGRAM.fernet_problems(alien, asked, OLD)[0]["severity"] == "error"


def test_an_empty_database_takes_every_key() -> None:
    asked = {"fernet_key": NEW, "inventory": "DIR"}
    assert PROGRAM.fernet_problems(Rows(), asked, "") == []
    assert PROGRAM.fernet_problems(Rows(connection=[], variable=[]), asked, "") == []


@pytest.mark.parametrize("key", ["short", "ä" * 44, "x" * 44, f"{OLD},nonsense"])
def test_what_is_no_key(key: str) -> None:
    (found,) = PROGRAM.fernet_problems(held(), {"fernet_key": key, "inventory": "DIR"}, "")
    assert found["what"] == "airflow_fernet_key is not a Fernet key"


def test_tokens_are_those_of_airflow() -> None:
    key = MultiFernet([Fernet(NEW), Fernet(OLD)])
    database = Rows(variable=[("v", key.encrypt(b"x").decode(), True)])
    asked = {"fernet_key": NEW, "inventory": "DIR"}
    assert PROGRAM.fernet_problems(database, asked, "") == []


def scrypt(password: str) -> str:
    digest = hashlib.scrypt(password.encode(), salt=b"s", n=1024, r=8, p=1)
    return f"scrypt:1024:8:1$s${digest.hex()}"


def pbkdf2(password: str) -> str:
    digest = hashlib.pbkdf2_hmac("sha256", password.encode(), b"s", 1000)
    return f"pbkdf2:sha256:1000$s${digest.hex()}"


@pytest.mark.parametrize("make", [scrypt, pbkdf2])
@pytest.mark.parametrize("password", ["secret", "-a $tr`an\"ge' p%w\\d", "é" * 40])
def test_stored_passwords(make: Any, password: str) -> None:
    assert PROGRAM.has_password(make(password), password)
    assert not PROGRAM.has_password(make(password), password + " ")


ADMIN = (1, "admin", "admin@example.com", scrypt("old"), "admin", "admin")
KIM = (2, "kim", "kim@example.com", scrypt("k"), "Kim", "Lee")
LDAP = (3, "lee", "lee@example.com", None, "Lee", "Lee")


def users(*wanted: tuple[str, str, str], kind: str = "postgres") -> Any:
    named = [dict(zip(("username", "email", "password"), one, strict=True)) for one in wanted]
    return PROGRAM.Users(Rows(kind, ab_user=[ADMIN, KIM, LDAP]), named)


def ids(found: Any) -> list[str]:
    return [one["id"] for one in found.problems("DIR")]


def test_users_that_are_as_wanted() -> None:
    found = users(("admin", "admin@example.com", "old"), ("kim", "kim@example.com", "k"))
    assert (ids(found), found.missing(), found.outdated()) == ([], [], [])


def test_a_renamed_admin_with_the_same_address() -> None:
    found = users(("ops", "admin@example.com", "x"))
    assert ids(found) == ["database.user_email", "database.former_admin"]
    (taken, former) = found.problems("DIR")
    assert "which user admin has" in taken["what"]
    assert former["fix"] == "toolkit airflow -i DIR -- users delete --username admin"


def test_a_renamed_admin_with_another_address() -> None:
    found = users(("ops", "ops@example.com", "x"))
    assert ids(found) == ["database.former_admin"]
    assert [user["username"] for user in found.missing()] == ["ops"]


def test_a_new_user_with_the_address_of_another() -> None:
    found = users(("admin", "admin@example.com", ""), ("new", "kim@example.com", "x"))
    assert ids(found) == ["database.user_email"]


def test_letters_of_addresses() -> None:
    """MySQL takes either case for the same, PostgreSQL does not."""
    wanted = (("admin", "admin@example.com", ""), ("new", "KIM@example.com", "x"))
    assert ids(users(*wanted)) == []
    assert ids(users(*wanted, kind="mysql")) == ["database.user_email"]


def test_names_have_no_case() -> None:
    assert users(("Admin", "admin@example.com", "old")).missing() == []


def test_an_address_that_was_changed() -> None:
    found = users(("admin", "new@example.com", "old"))
    assert ids(found) == ["database.user_differs"]


def test_passwords_that_differ_and_those_that_airflow_does_not_keep() -> None:
    found = users(
        ("admin", "admin@example.com", "new"),
        ("kim", "kim@example.com", "k"),
        ("lee", "lee@example.com", "x"),
        ("nobody", "n@example.com", "x"),
    )
    assert found.outdated() == ["admin"]


def test_a_database_without_users() -> None:
    found = PROGRAM.Users(Rows(), [{"username": "admin", "email": "a@b", "password": "x"}])
    assert (ids(found), found.outdated()) == ([], [])


ASKED = {"version": "2.11.2", "runs": "3.3.2", "allowed": True, "inventory": "DIR"}


def test_a_schema_of_a_newer_release_is_refused_even_when_upgrades_are_allowed() -> None:
    done = {"former": "2.11.2", "to": "3.3.2", "dump": "db1:/var/backups/x.dump"}
    (found,) = PROGRAM.version_problems(ASKED, "unknown", ["d2"], done)
    assert found["id"] == "versions.unknown_schema"
    assert "db1:/var/backups/x.dump" in found["fix"]
    assert "airflow_version: 3.3.2" in found["fix"]
    (found,) = PROGRAM.version_problems(ASKED, "unknown", ["d2"], {})
    assert "restore a dump of that release" in found["fix"]


@pytest.mark.parametrize(("state", "allowed", "wanted"), [
    ("older", False, ["versions.older_schema"]),
    ("older", True, []),
    ("current", False, []),
    ("missing", False, []),
])  # fmt: skip
def test_an_older_schema_needs_a_word(state: str, allowed: bool, wanted: list[str]) -> None:
    found = PROGRAM.version_problems(ASKED | {"allowed": allowed}, state, ["a1"], {})
    assert [one["id"] for one in found] == wanted


def test_migrations_are_read_without_importing_airflow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "airflow/migrations/versions"
    folder.mkdir(parents=True)
    (tmp_path / "airflow/__init__.py").write_text("raise SystemExit")
    (folder / "1.py").write_text('revision = "a1"\ndown_revision = None\n')
    (folder / "2.py").write_text("revision: str = 'b2'\ndown_revision: str | None = 'a1'\n")
    (folder / "3.py").write_text('revision = "c3"\ndown_revision = ("b2", "a1")\nx = "zz"\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert PROGRAM.migrations() == ({"a1", "b2", "c3"}, {"c3"})
    states = {
        state: PROGRAM.schema_state(schema)
        for state, schema in (
            ("missing", []),
            ("current", ["c3"]),
            ("older", ["a1"]),
            ("unknown", ["zz"]),
        )
    }
    assert all(state == found for state, found in states.items())


def test_an_answer_without_a_connection_shows_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROGRAM.answer.__globals__, "become_airflow", lambda: None)
    url = "postgresql+psycopg2://airflow:hush%2Fhush@127.0.0.1:1/airflow"
    asked = {"url": url, "ca": "", "fernet_key": OLD, "users": [], "inventory": "DIR"}
    answer = PROGRAM.answer(asked)
    (found,) = answer["problems"]
    assert found["id"] == "database.unreadable"
    assert "OperationalError" in found["what"]
    assert not any(secret in json.dumps(answer) for secret in ("hush%2Fhush", "hush/hush", OLD))


WANTED, USED = "postgresql://u:one@new:5432/airflow", "postgresql://u:two@old/airflow"
SAME = "postgresql://u:two@new:5432/airflow"
ABSENT = Exception('FATAL: database "airflow" does not exist')


@pytest.mark.parametrize(
    ("own", "databases", "expected"),
    [
        (True, {WANTED: True, USED: True}, (WANTED, True, False)),
        (False, {WANTED: False, USED: True}, (WANTED, True, True)),
        (True, {WANTED: False, USED: False}, (WANTED, True, False)),
        # Down, or not to be reached: nobody knows what is in it.
        (True, {WANTED: False, USED: OSError()}, (WANTED, True, True)),
        (True, {WANTED: False, SAME: OSError()}, (WANTED, True, False)),
        # Not there yet, or not listening yet: what the next provision changes.
        (True, {WANTED: OSError(), USED: True}, (USED, False, False)),
        (True, {WANTED: ABSENT, USED: True}, (USED, False, True)),
        (False, {WANTED: ABSENT, USED: True}, (USED, False, True)),
        (False, {WANTED: OSError(), USED: True}, OSError),
        (False, {WANTED: ABSENT, USED: False}, Exception),
        (True, {WANTED: ABSENT, USED: OSError()}, Exception),
    ],
)
def test_data_that_are_elsewhere(
    own: bool, databases: dict[str, Any], expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def database(url: str, _: str) -> SimpleNamespace:
        found = databases[url]
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(url=url, tables={"alembic_version"} if found else set())

    connected = PROGRAM.connected
    monkeypatch.setitem(connected.__globals__, "Database", database)
    asked, used = {"url": WANTED, "own": own}, [*databases][1]
    if not isinstance(expected, tuple):
        with pytest.raises(expected):
            connected(asked, used, "")
        return
    found, reached, moved = connected(asked, used, "")
    assert (found.url, reached, moved) == expected


def test_the_database_in_use_is_asked_with_the_certificate_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not with that of the wanted one, which is RDS's, say."""
    asked = []

    def database(url: str, ca: str) -> SimpleNamespace:
        asked.append((url, ca))
        return SimpleNamespace(tables={"alembic_version"} if url == USED else set())

    ca = tmp_path / "ca.pem"
    monkeypatch.setitem(PROGRAM.connected.__globals__, "Database", database)
    monkeypatch.setitem(PROGRAM.connected.__globals__, "CA", str(ca))
    assert PROGRAM.connected({"url": WANTED}, USED, "/new.pem")[2]
    ca.write_text("")
    PROGRAM.connected({"url": WANTED}, USED, "")
    assert asked == [(WANTED, "/new.pem"), (USED, ""), (WANTED, ""), (USED, str(ca))]


def test_no_login_is_in_the_words_for_it() -> None:
    said = PROGRAM.moved_problem({"url": WANTED}, USED)["what"]
    assert "airflow on new:5432" in said and "airflow on old," in said
    assert "one" not in said.replace("one ", "") and "two" not in said


def test_a_socket_is_on_this_host() -> None:
    assert PROGRAM.place("postgresql:///airflow?host=/run/postgresql") == "airflow on this host"


SYNTAX = """Traceback (most recent call last):
  File "/var/lib/airflow/dags/current/broken.py", line 3
    def (
        ^
SyntaxError: invalid syntax
"""
HELPER = """Traceback (most recent call last):
  File "/var/lib/airflow/dags/current/etl.py", line 7, in <module>
    import helper
  File "/var/lib/airflow/dags/current/helper.py", line 2, in <module>
    import nosuch
ModuleNotFoundError: No module named 'nosuch'
"""
DEEP = """  File "/opt/x/lib/a.py", line 5, in f
    g()
  File "/opt/x/lib/b.py", line 9, in g
    raise ValueError(
ValueError: too deep
"""


class ImportErrors:
    """A database with these import errors."""

    tables = frozenset({"import_error"})

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = found

    def records(self, query: str) -> list[dict[str, Any]]:
        assert query == PROGRAM.IMPORT_ERRORS
        return list(self.found)


def import_error(filename: str | None, stacktrace: str | None, **more: str) -> dict[str, Any]:
    return {"id": 1, "filename": filename, "stacktrace": stacktrace, **more}


@pytest.mark.parametrize(("error", "what"), [
    (import_error("current/broken.py", SYNTAX, bundle_name="dags-folder"),
     "/var/lib/airflow/dags/current/broken.py:3 cannot be imported: SyntaxError: invalid syntax"),
    (import_error("/var/lib/airflow/dags/current/broken.py", SYNTAX),  # Airflow 2
     "/var/lib/airflow/dags/current/broken.py:3 cannot be imported: SyntaxError: invalid syntax"),
    (import_error("current/etl.py", HELPER, bundle_name="dags-folder"),
     "/var/lib/airflow/dags/current/etl.py:7 cannot be imported: ModuleNotFoundError: No module named 'nosuch'"),
    (import_error("current/etl.py", DEEP, bundle_name="dags-folder"),
     "/var/lib/airflow/dags/current/etl.py cannot be imported: ValueError: too deep (/opt/x/lib/b.py:9)"),
    (import_error("a.py", "Received SIGSEGV signal while processing a.py.", bundle_name="git"),
     "a.py cannot be imported: Received SIGSEGV signal while processing a.py."),
    (import_error("a(1).py", None, bundle_name="dags-folder"),
     "/var/lib/airflow/dags/a(1).py cannot be imported: no reason given"),
    (import_error(None, "\n \n", bundle_name="x"), "? cannot be imported: no reason given"),
    (import_error("x.py", "E" * 9999, bundle_name="x"), f"x.py cannot be imported: {'E' * 300}"),
])  # fmt: skip
def test_import_errors_name_file_line_and_last_words(error: dict[str, Any], what: str) -> None:
    (found,) = PROGRAM.import_problems(ImportErrors(error), "current")
    assert (found["id"], found["severity"]) == ("database.import_error", "warning")
    assert found["what"] == what


def test_of_many_import_errors_the_first_are_named() -> None:
    errors = [import_error(f"{number}.py", "x", bundle_name="b") for number in range(40)]
    found = [one["what"] for one in PROGRAM.import_problems(ImportErrors(*errors), "current")]
    assert len(found) == 11
    assert found[-1] == "30 more files of DAGs cannot be imported"


@pytest.mark.parametrize("state", ["missing", "older", "unknown"])
def test_import_errors_of_another_release_say_nothing(state: str) -> None:
    found = PROGRAM.import_problems(ImportErrors(import_error("a.py", "x")), state)
    assert list(found) == []
