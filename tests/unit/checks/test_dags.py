"""What stands against a release of DAGs, from what Airflow said of it."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.checks.dags import described, disappearing, gate, included, requirements
from toolkit.hosts.answer import read
from toolkit.hosts.gate import Gate

PINNED = {"pandas": ("2.2.3",), "apache-airflow": ("3.3.2",), "numpy": ("1.26.4", "2.1.0")}


def found(**answer: Any) -> dict[str, str]:
    removal = answer.pop("removal", False)
    return {one.id: one.what for one in gate(read(Gate, answer), "h1", "prod", removal=removal)}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("pandas", ""), ("pandas>=2,<3  # for reports", ""), ("PANDAS ==2.2.3", ""), ("numpy>=2", ""),
        ("# nothing", ""), ("", ""), ("-r other.txt", ""), ("--hash=sha256:1", ""), ("apache_airflow[celery]", ""),
        ('nosuch; sys_platform == "win32"', ""), ("pandas>=2.2 \\", ""),
        ('pandas<2; python_version < "3.10"', ""), ('pandas<2; python_version < "3.11"', "is 2.2.3 in the lock"),
        ("polars", "polars is not in the lock"), ("pandas<2", "pandas<2 is 2.2.3 in the lock"),
        ("numpy>=3", "numpy>=3 is 1.26.4 and 2.1.0 in the lock"), ("a b c", "no requirement that a lock can have"),
        ("git+https://git.example.com/x.git", "no requirement that a lock can have"),
    ],
)  # fmt: skip
def test_requirements_that_the_lock_has_not(line: str, says: str) -> None:
    problems = list(
        requirements(f"\n{line}\n", PINNED, ["3.10", "3.12"], "requirements.txt", "prod")
    )
    assert len(problems) == bool(says)
    for one in problems:
        assert one.what.startswith("requirements.txt:2: ")
        assert says in one.what
        assert "toolkit lock -i prod" in one.fix or "build a wheel" in one.fix


def test_files_that_are_included() -> None:
    text = "-r a.txt  # ours\n--requirement=b/c.txt\n  -r d.txt\n# -r no.txt\n-c e.txt\nx-r f.txt\n"
    assert included(text) == ["a.txt", "b/c.txt", "d.txt"]


def test_a_release_that_is_right() -> None:
    assert (
        found(
            files=1, dags={"a": "a.py"}, known=[{"dag": "a", "bundle": "deployed", "file": "a.py"}]
        )
        == {}
    )


SYNTAX = """Traceback (most recent call last):
  File "/var/lib/airflow/dags/releases/r1/dags/x.py", line 2
    x = (
        ^
SyntaxError: '(' was never closed
"""
INNER = """Traceback (most recent call last):
  File "/var/lib/airflow/dags/releases/r1/include/days.py", line 7, in <module>
    1 / 0
ZeroDivisionError: division by zero
"""


def test_an_import_error_has_file_and_line() -> None:
    assert described("x.py", SYNTAX) == ("x.py:2", "SyntaxError: '(' was never closed")
    assert described("x.py", INNER) == (
        "x.py",
        "ZeroDivisionError: division by zero (include/days.py:7)",
    )
    assert described("x.py", "") == ("x.py", "no reason given")


def test_a_missing_package_is_named_with_the_command() -> None:
    text = SYNTAX.replace(
        "SyntaxError: '(' was never closed", "ModuleNotFoundError: No module named 'polars.io'"
    )
    (one,) = gate(read(Gate, {"files": 1, "errors": {"x.py": text}}), "h1", "prod")
    assert "add the package that has polars to airflow_requirements" in one.fix
    assert "toolkit lock -i prod && toolkit provision -i prod" in one.fix


def test_each_kind_of_import_error_has_its_own_finding() -> None:
    duplicate = ("airflow.exceptions.AirflowDagDuplicatedIdException: Ignoring DAG a from /var/lib/airflow/dags/releases/r1/"
                 "dags/x.py - also found in /var/lib/airflow/dags/releases/r1/dags/sub/y.py")  # fmt: skip
    late = "AirflowTaskTimeout: DagBag import timeout for /x/dags/x.py after 30.0s.\nPlease take a look at\n* https://x"
    assert found(files=1, errors={"x.py": duplicate}) == {
        "dags.duplicate": "x.py: DAG a is in sub/y.py as well"
    }
    assert found(files=1, errors={"x.py": late}) == {
        "dags.timeout": "x.py: the import was stopped after 30 s"
    }


KNOWN = [
    {"dag": "mine", "bundle": "deployed", "file": "a.py", "runs": 2},
    {"dag": "copied", "bundle": "dags-folder", "file": "current/b.py"},
    {"dag": "of_2", "bundle": "", "file": "/var/lib/airflow/dags/current/c.py"},
    {"dag": "toolkit_canary", "bundle": "dags-folder", "file": "toolkit/toolkit_canary.py"},
    {"dag": "theirs", "bundle": "git", "file": "d.py"},
]


def test_dags_that_would_disappear_are_only_ours() -> None:
    answer = {"files": 1, "dags": {"new": "n.py"}, "known": KNOWN}
    assert [one.dag for one in disappearing(read(Gate, answer))] == ["mine", "copied", "of_2"]
    assert found(**answer) == {
        "dags.removed": "3 DAG(s) would disappear: copied, mine and of_2; 2 of their runs are not finished"
    }
    assert found(**answer, removal=True) == {}


def test_dags_of_a_file_with_an_error_may_be_in_it() -> None:
    answer = {
        "files": 2,
        "dags": {"new": "n.py"},
        "errors": {"a.py": "E", "c.py": "E"},
        "known": KNOWN,
    }
    assert [one.dag for one in disappearing(read(Gate, answer))] == ["copied"]


def test_a_dag_of_another_bundle_is_a_duplicate() -> None:
    assert found(files=1, dags={"theirs": "n.py"}, known=KNOWN[3:]) == {
        "dags.duplicate": "n.py: DAG theirs exists already, in d.py"
    }


def test_no_dag_at_all() -> None:
    assert found(files=3) == {"dags.none": "Airflow finds no DAG in 3 file(s)"}


def test_tests_that_fail_and_tests_without_pytest() -> None:
    assert (
        "1 failed"
        in found(files=1, dags={"a": "a"}, tests={"status": 1, "output": "x\n1 failed"})[
            "dags.tests"
        ]
    )
    missing = found(
        files=1, dags={"a": "a"}, tests={"status": 1, "output": "python: No module named pytest"}
    )
    assert missing == {"dags.tests": "pytest is not in Airflow's environment"}
    assert found(files=1, dags={"a": "a"}, tests={"status": 0}) == {}
