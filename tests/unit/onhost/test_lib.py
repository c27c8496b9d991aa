"""The library of the programs on a host."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from toolkit.onhost import lib
from toolkit.onhost.importer import Importer


def test_addresses_of_the_kernel_s_tables() -> None:
    loopback = "0100007F" if sys.byteorder == "little" else "7F000001"
    assert lib.address_text(loopback, socket.AF_INET) == "127.0.0.1"
    assert lib.address_text("0" * 32, socket.AF_INET6) == "::"


def test_a_socket_that_listens_is_found_and_one_that_is_connected_is_not() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with socket.create_connection(address) as client:
            found = set(lib.listening().values())
            assert address in found
            assert client.getsockname() not in found
    assert address not in lib.listening().values()


def test_properties_of_units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text('#!/bin/sh\nprintf "Id=a.service\\nSub=x=y\\n\\nId=b.service\\nSub=\\n"\n')
    systemctl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert lib.show(["a.service", "b.service"], "Sub") == [
        {"Id": "a.service", "Sub": "x=y"},
        {"Id": "b.service", "Sub": ""},
    ]
    assert lib.show([], "Sub") == []
    systemctl.unlink()
    assert lib.show(["a.service"], "Sub") == []


def test_the_last_answer_counts_once_the_time_is_over() -> None:
    answers = iter(range(9))
    assert lib.wait_until(lambda: next(answers), lambda number: number == 1, 5) == 1
    assert lib.wait_until(lambda: next(answers), lambda _: False, 0) == 2


def test_who_is_late_has_the_answer_for_late_ones() -> None:
    calls = [(str, 1), (time.sleep, 9)]
    assert lib.in_parallel(calls, 0.2, ["late", "late"]) == ["1", "late"]


def test_airflow_s_python_gets_the_units_environment_and_its_last_object_is_the_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a host `runuser` changes the user; here it stands for itself."""
    (tmp_path / "bin").mkdir()
    runuser = tmp_path / "runuser"
    runuser.write_text('#!/bin/sh\n[ "$1 $2 $3" = "-u airflow --" ] && shift 3 && exec "$@"\n')
    runuser.chmod(0o755)
    (tmp_path / "bin/python").symlink_to(sys.executable)
    (tmp_path / "airflow.env").write_text('AIRFLOW_HOME="/"\nPASSWORD="a\\$b"\n')
    monkeypatch.setattr(lib, "SYSTEM_PATH", str(tmp_path))
    monkeypatch.setattr(lib, "CURRENT", str(tmp_path))
    variables = lib.environment(str(tmp_path / "airflow.env"))
    monkeypatch.setattr(lib, "environment", lambda: variables)
    good = module("import json, os, sys\nprint('noise')\n"
                  "print(json.dumps({'e': [os.environ['PASSWORD'], os.environ['HOME']], 'a': sys.argv[1:]}))")  # fmt: skip
    assert lib.in_airflow(good, "x y") == {"e": ["a$b", "/"], "a": ["x y"]}
    assert lib.in_airflow(module("raise KeyError('boom')")) == {"error": "KeyError: 'boom'"}
    (tmp_path / "runuser").unlink()
    assert "runuser" in lib.in_airflow(good)["error"]


def module(text: str) -> ModuleType:
    """A module of this text, as the importer on a host makes it."""
    found = ModuleType("program")
    found.__loader__ = Importer({"program": text})
    return found
