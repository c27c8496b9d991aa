"""Whether a password is the one that PostgreSQL stores."""

from __future__ import annotations

import hashlib
import runpy
from pathlib import Path

import pytest

ROLES = Path(__file__).resolve().parents[3] / "roles"
MODULE = runpy.run_path(str(ROLES / "postgres/library/postgres_database.py"))
SCRAM = (  # of RFC 7677, section 3, as PostgreSQL writes it
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)
MD5 = "md5" + hashlib.new("md5", b"pencilairflow").hexdigest()


@pytest.mark.parametrize(
    ("stored", "password", "fits"),
    [
        (SCRAM, "pencil", True),
        (SCRAM, "Pencil", False),
        (MD5, "pencil", True),
        (MD5, "pen", False),
        ("", "pencil", False),
        ("plain", "plain", False),
        ("OTHER$1:a$b:c", "pencil", False),
    ],
)
def test_stored_passwords(stored: str, password: str, fits: bool) -> None:
    assert MODULE["fits"](stored, "airflow", password) is fits


def test_quotes_stay_within_a_literal() -> None:
    assert MODULE["literal"]("a'b\\c") == " E'a''b\\\\c'"
    assert MODULE["name"]('a"b') == '"a""b"'
