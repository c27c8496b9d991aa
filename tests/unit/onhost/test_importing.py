"""What the gate does around Airflow's own import of DAGs; the import itself is for lab hosts."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from toolkit.onhost.in_airflow.dags import alone, repeated


@dataclass
class Dag:
    dag_id: str


def test_a_file_finds_nothing_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder, name in (("a", "one"), ("b", "two")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "helpers.py").write_text(f"NAME = {name!r}\n")
    before, place = list(sys.path), Path.cwd()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for folder, name in (("a", "one"), ("b", "two")):
        with alone(str(tmp_path)):
            sys.path.insert(0, str(tmp_path / folder))
            os.environ["OF_A_DAG"] = name
            os.chdir(tmp_path)
            assert name == __import__("helpers").NAME
    assert "helpers" not in sys.modules
    assert (sys.path, Path.cwd()) == (before, place)
    assert "OF_A_DAG" not in os.environ
    with alone(str(tmp_path)):
        import colorsys  # is from elsewhere, and stays

        assert colorsys
    assert "colorsys" in sys.modules


def test_an_id_that_two_dags_of_a_file_have() -> None:
    one = Dag("a")
    assert repeated([one, one, Dag("b")]) == []
    assert repeated([one, Dag("a"), Dag("b")]) == ["a"]
