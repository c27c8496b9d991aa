"""Logs, events, commands and shells on a running cluster of four hosts."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import threading
import time
from contextlib import suppress

from support.lab_cluster import TOOLKIT
from support.saved_clusters import Provisioned

DATA, CONTROL, *WORKERS = [f"e2efour{number}" for number in range(1, 5)]


def test_logs_of_all_hosts_in_the_order_of_time(four: Provisioned) -> None:
    four.ssh(WORKERS[0], "systemctl restart airflow-worker")
    lines = [
        json.loads(line) for line in four.toolkit("logs", "--json", "-n", "400").stdout.splitlines()
    ]
    assert [line["time"] for line in lines] == sorted(line["time"] for line in lines)
    assert {line["host"] for line in lines} >= {CONTROL, WORKERS[0]}
    said = four.toolkit(
        "logs", "worker", "--since", "5m", "--grep", "Stopped airflow-worker", "-n", "1"
    ).stdout
    assert f" {WORKERS[0]} worker: Stopped airflow-worker" in said
    assert len(said.splitlines()) == 1
    assert f" {DATA} postgresql" in four.toolkit("logs", "postgres", "-n", "5").stdout
    assert "e2efour" not in four.toolkit("logs", "--grep", "nobody ever wrote this").stdout


def test_logs_that_cannot_be(four: Provisioned) -> None:
    assert "no host in play runs webserver" in four.toolkit("logs", "webserver", expect=2).stderr
    assert (
        "journalctl: Failed to parse timestamp"
        in four.toolkit("logs", "--since", "yesterjahr", expect=1).stderr
    )


def test_logs_are_followed_until_ctrl_c(four: Provisioned) -> None:
    command = [TOOLKIT, "logs", "-i", str(four.directory), "worker", "-f", "-n", "1"]
    with subprocess.Popen(
        command, env=four.environment, stdout=subprocess.PIPE, text=True
    ) as following:
        assert following.stdout
        assert following.stdout.readline()
        four.ssh(WORKERS[1], "systemctl restart airflow-worker")
        timer = threading.Timer(60, following.kill)
        timer.start()
        said = ""
        while "Started airflow-worker" not in said:
            said = following.stdout.readline()
            assert said, "it ended, or nothing came for a minute"
        timer.cancel()
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 130
    left = four.ssh(WORKERS[0], "sleep 2; pgrep -af 'journalctl.*--follow' || true")
    assert left == ""


def test_events_are_the_audit_lines(four: Provisioned) -> None:
    four.toolkit("verify")
    lines = [json.loads(line) for line in four.toolkit("events", "--json").stdout.splitlines()]
    assert any("verify: succeeded (toolkit verify" in line["text"] for line in lines)
    assert {line["unit"] for line in lines} == {"airflow-toolkit"}
    assert {line["host"] for line in lines} >= {CONTROL, *WORKERS}


def test_a_command_on_all_hosts_and_its_exit_statuses(four: Provisioned) -> None:
    said = four.toolkit(
        "exec", "-l", "worker", "-b", "--", "systemctl", "is-active", "airflow-worker"
    )
    assert sorted(said.stdout.splitlines()) == [f"{host} | active" for host in WORKERS]
    assert f"exit status 0: {', '.join(WORKERS)}" in said.stderr
    line = f"test $(hostname) != {WORKERS[1]} || exit 3"
    assert (
        f"exit status 0: {DATA}, {CONTROL}, {WORKERS[0]}; 3: {WORKERS[1]}"
        in four.toolkit("exec", "--", line, expect=1).stderr
    )
    said = four.toolkit("exec", "--json", "--", "sh", "-c", "id -un; echo oops >&2")
    found = json.loads(said.stdout)["hosts"]
    assert {(one["status"], one["stdout"], one["stderr"]) for one in found.values()} == {
        (0, "admin\n", "oops\n")
    }


def test_a_shell_on_a_terminal(four: Provisioned) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(
            TOOLKIT, [TOOLKIT, "ssh", "-i", str(four.directory), WORKERS[0]], four.environment
        )
    said = b""

    def until(words: bytes) -> None:
        nonlocal said
        deadline = time.monotonic() + 30
        while words not in said:
            assert time.monotonic() < deadline, said
            if select.select([terminal], [], [], 0.2)[0]:
                with suppress(OSError):
                    said += os.read(terminal, 4096)

    until(b"$ ")
    os.write(terminal, b"test -t 0 && echo on a $((40 + 2)) terminal at $(hostname); exit 5\n")
    until(f"on a 42 terminal at {WORKERS[0]}".encode())
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 5
    assert "did you mean" in four.toolkit("ssh", "e2efuor3", expect=2).stderr
    assert four.toolkit("ssh", WORKERS[0], "-b", "--", "id", "-un").stdout == "root\n"
