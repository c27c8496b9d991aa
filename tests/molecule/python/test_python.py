"""What role python promises: a uv that runs on this host."""

from __future__ import annotations

from typing import Any

UV = "/usr/local/lib/airflow-toolkit/uv"


def test_uv_runs(host: Any) -> None:
    assert host.run(f"{UV} --version").stdout.startswith("uv ")
    assert (host.file(UV).user, host.file(UV).mode) == ("root", 0o755)


def test_uv_makes_an_environment_without_downloading_an_interpreter(host: Any) -> None:
    made = host.run(f"{UV} venv --quiet --no-python-downloads --clear --python python3 /tmp/v")
    assert made.rc == 0, made.stderr
    assert host.run("/tmp/v/bin/python -c 'import ssl, sqlite3, ctypes, lzma, bz2'").rc == 0
