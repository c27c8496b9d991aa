"""How the database is reached by a URL of SQLAlchemy's: what the driver is given."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from toolkit.onhost.in_airflow import database


def given(monkeypatch: pytest.MonkeyPatch, module: str, url: str) -> dict[str, Any]:
    """What the driver's connect() is called with."""
    found: dict[str, Any] = {}
    driver = ModuleType(module)
    driver.__dict__["connect"] = lambda **login: found.update(login)
    monkeypatch.setitem(sys.modules, module, driver)
    database.connect(url)
    return found


def test_a_socket_of_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, "psycopg2", "postgresql+psycopg2:///airflow?host=/run/postgresql")
    assert found == {"host": "/run/postgresql", "dbname": "airflow", "port": 5432, "connect_timeout": 3}  # fmt: skip


def test_a_password_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    found = given(monkeypatch, "psycopg2", "postgresql://u:p%40%25@db:5433/airflow?sslmode=require")
    assert (found["password"], found["port"], found["sslmode"]) == ("p@%", 5433, "require")
