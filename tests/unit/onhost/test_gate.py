"""The unit in which DAGs are imported before they are deployed."""

from __future__ import annotations

import grp
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost import gate

UNIT = """# /etc/systemd/system/airflow-dag-processor.service
[Unit]
Description=Airflow dag-processor
After=network-online.target

[Service]
Type=exec
User=airflow
EnvironmentFile=/etc/airflow/airflow.env
ExecStart=/opt/airflow/current/bin/airflow dag-processor
ExecStop=/usr/local/lib/airflow-toolkit/stop_component $MAINPID
Restart=always
RestartSec=5
KillMode=mixed
TimeoutStopSec=60
# What keeps it from doing harm
SystemCallFilter=@system-service \\
  chroot
ReadWritePaths=/var/lib/airflow "-/data/with blank"

[Install]
WantedBy=multi-user.target

# /etc/systemd/system/airflow-dag-processor.service.d/mine.conf
[Service]
MemoryMax=2G
RuntimeDirectory=airflow
ExecStartPre=/bin/true
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(gate, "ROOT", str(tmp_path / "run"))
    monkeypatch.setattr(gate, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(gate.grp, "getgrnam", lambda _: grp.getgrgid(os.getgid()))
    monkeypatch.setattr(gate.os, "chown", lambda *_: None)
    return tmp_path


def with_systemctl(directory: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = directory / "bin/systemctl"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def test_it_may_do_what_the_unit_may_and_nothing_of_its_process_is_the_unit_s(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "unit").write_text(UNIT)
    with_systemctl(places, monkeypatch, f"cat {places}/unit")
    assert gate.sandbox("airflow-dag-processor.service") == [
        "User=airflow", "EnvironmentFile=/etc/airflow/airflow.env", "SystemCallFilter=@system-service \\", "  chroot",
        'ReadWritePaths=/var/lib/airflow "-/data/with blank"', "MemoryMax=2G",
    ]  # fmt: skip


def test_a_unit_that_is_not_there(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_systemctl(places, monkeypatch, "echo 'No files found' >&2; exit 1")
    payload = {
        "action": "begin",
        "token": "t",
        "unit": "airflow-dag-processor.service",
        "question": {},
    }
    assert gate.main(payload) == {"error": "airflow-dag-processor.service is not on this host"}
    assert not (places / "run").exists()


def test_one_that_a_killed_deploy_left_is_stopped_first(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "unit").write_text(UNIT)
    with_systemctl(
        places, monkeypatch, f'echo "$@" >> {places}/said; test "$1" != cat || cat {places}/unit'
    )
    gate.main({"action": "begin", "token": "old", "unit": "u", "question": {}})
    gate.main({"action": "begin", "token": "new", "unit": "u", "question": {"release": "r1"}})
    said = (places / "said").read_text().splitlines()
    assert said.index("stop airflow-toolkit-gate-old.service") < said.index(
        "start airflow-toolkit-gate-new.service"
    )
    assert [one.name for one in (places / "units").iterdir()] == [
        "airflow-toolkit-gate-new.service"
    ]
    assert oct((places / "run/gate-new").stat().st_mode)[-3:] == "750"
    assert json.loads((places / "run/gate-new/question.json").read_text()) == {"release": "r1"}
    assert gate.main({"action": "clear"}) == {}
    assert list((places / "units").iterdir()) == []
    assert gate.main({"action": "end", "token": "new"}) == {}
    assert list((places / "units").iterdir()) == list((places / "run").iterdir()) == []


def test_a_closed_umask_closes_nothing_that_it_needs(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (places / "unit").write_text(UNIT)
    with_systemctl(places, monkeypatch, f"test $1 != cat || cat {places}/unit")
    before = os.umask(0o077)
    try:
        gate.main({"action": "begin", "token": "t", "unit": "u", "question": {}})
    finally:
        os.umask(before)
    modes = {
        name: oct((places / "run" / name).stat().st_mode)[-3:]
        for name in (".", "gate-t", "gate-t/program.py")
    }
    assert modes == {".": "755", "gate-t": "750", "gate-t/program.py": "644"}


def answering(places: Path, text: str) -> None:
    (places / "run/gate-t").mkdir(parents=True, exist_ok=True)
    (places / "run/gate-t/answers").write_text(text)


def examined(timeout: float = 5) -> dict[str, Any]:
    return gate.main({"action": "examine", "token": "t", "timeout": timeout})


def test_its_answer_is_waited_for(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_systemctl(places, monkeypatch, "printf 'Id=u\\nActiveState=active\\n'")
    answering(places, '{"reading": "a.py"}\nnoise\n{"found": {"fi')
    threading.Timer(0.2, answering, (places, '{"found": {"files": 3}}\n')).start()
    assert examined() == {"found": {"files": 3}}
    answering(places, '{"reading": "a.py"}\n')
    begun = time.monotonic()
    assert examined(0.1) == {"error": "all of it took longer than 0 s", "reading": "a.py"}
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("answers", "how", "expected"),
    [
        (
            '{"reading": "a.py"}\n',
            "ExecMainCode=1\\nExecMainStatus=3",
            {"error": "the import ended its process, exit status 3", "reading": "a.py"},
        ),
        (
            '{"reading": "a.py"}\n',
            "ExecMainCode=2\\nExecMainStatus=11",
            {"error": "the import ended its process, signal 11", "reading": "a.py"},
        ),
        (
            '{"reading": ""}\n',
            "ExecMainCode=1\\nExecMainStatus=1",
            {"error": "OperationalError", "reading": ""},
        ),
        ('{"found": {}}\n', "ExecMainCode=1\\nExecMainStatus=0", {"found": {}}),
    ],
)
def test_how_it_ended(
    places: Path, monkeypatch: pytest.MonkeyPatch, answers: str, how: str, expected: Any
) -> None:
    with_systemctl(places, monkeypatch, f"printf 'Id=u\\nActiveState=failed\\n{how}\\n'")
    answering(places, answers)
    (places / "run/gate-t/errors").write_text("Traceback\nOperationalError\n\n")
    assert examined() == expected


def test_it_is_told_which_dags_to_keep(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_systemctl(places, monkeypatch, "printf 'Id=u\\nActiveState=active\\n'")
    answering(places, '{"found": {}}\n{"stored": {"dags": 1, "since": "2026"}}\n')
    wanted = {"files": ["a.py"], "removed": []}
    answer = gate.main({"action": "keep", "token": "t", "dags": wanted, "timeout": 5})
    assert answer == {"stored": {"dags": 1, "since": "2026"}}
    assert json.loads((places / "run/gate-t/go").read_text()) == wanted
