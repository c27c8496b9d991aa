"""Rules about what the metadata database holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.preflight_data import ids, make_cluster, probe_of

from toolkit.checks import database
from toolkit.findings import Severity
from toolkit.hosts.database import Examined, Problem
from toolkit.hosts.facts import Probe


def user(name: str, email: str) -> dict[str, str]:
    return {"username": name, "email": email, "password": "long-enough-password"}


@pytest.mark.parametrize(("users", "more", "what"), [
    ([user("admin", "a@b.c")], {}, "user admin is there twice"),
    ([user("Admin", "a@b.c")], {}, "user Admin is there twice (as admin)"),
    ([user("kim", "a@b.c"), user("kim", "b@b.c")], {}, "user kim is there twice"),
    ([user("kim", "admin@example.com")], {}, "users admin and kim have the same e-mail address"),
    ([user("kim", "a@b.c"), user("lee", "A@b.c")], {}, "users kim and lee have the same"),
    ([user("ops", "ops@b.c")], {"airflow_admin_username": "OPS"}, "user ops is there twice (as OPS)"),
    ([], {"airflow_admin_email": "toolkit-canary@localhost"}, "users admin and toolkit-canary"),
    ([user("toolkit-canary", "x@b.c")], {}, "user toolkit-canary is there twice"),
])  # fmt: skip
def test_users_of_the_settings_that_collide(
    tmp_path: Path, users: list[Any], more: dict[str, str], what: str
) -> None:
    cluster = make_cluster(tmp_path, airflow_users=users, **more)
    (found,) = database.users(cluster)
    assert found.id == "database.same_user"
    assert found.what.startswith(what)


def test_users_that_do_not_collide(tmp_path: Path) -> None:
    wanted = [user("kim", "kim@b.c"), user("{{ name }}", "kim@b.c"), "nonsense", {"username": "x"}]
    assert list(database.users(make_cluster(tmp_path, airflow_users=wanted))) == []


def test_what_the_program_found(tmp_path: Path) -> None:
    cluster = make_cluster(tmp_path)
    problems = (
        Problem("database.fernet_key", "error", "what", "fix"),
        Problem("database.former_admin", "note", "what", "fix"),
        Problem("database.unreadable", "error", "what", "fix"),
    )
    probe = Probe(probe_of(cluster).facts, database=Examined("current", ("a",), problems))
    found = list(database.stored(cluster, probe))
    assert ids(found) == [one.id for one in problems]
    assert [one.severity for one in found] == [Severity.ERROR, Severity.NOTE, Severity.WARNING]
