"""Logs, events, commands and shells, drained hosts and restarts on a running cluster of four hosts."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from support.faults.lab import until
from support.lab_cluster import TIMEOUT, TOOLKIT
from support.saved_clusters import FOUR, Provisioned, wait_for_heartbeats

DATA, CONTROL, *WORKERS = [f"e2efour{number}" for number in range(1, 5)]
BEGAN = "systemctl show -p ActiveEnterTimestampMonotonic --value airflow-worker"


def test_logs_of_all_hosts_in_the_order_of_time(four: Provisioned) -> None:
    four.ssh(WORKERS[0], "systemctl restart airflow-worker")
    lines = [
        json.loads(line)
        # Of what a unit says while servers are not up yet, a traceback may be part.
        for line in four.toolkit("logs", "--json", "--grep", "airflow-").stdout.splitlines()
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


def health(four: Provisioned, *arguments: str, expect: int = 0) -> list[str]:
    """The lines that `toolkit health` prints."""
    said: str = four.toolkit("health", *arguments, expect=expect).stdout
    return said.splitlines()


def test_health_of_a_cluster_that_is_well(four: Provisioned) -> None:
    four.toolkit("wait", "healthy", "--timeout", "2m")
    begun = time.monotonic()
    assert health(four) == ["HEALTH_OK"]
    # 1.5 to 1.8 s on a machine that does little else; other tests run at the same time.
    assert time.monotonic() - begun < 10
    found = four.json("health")
    assert (found["status"], found["findings"], found["mutes"]) == ("HEALTH_OK", [], [])


def test_a_worker_that_is_stopped_is_an_error_until_it_is_muted(four: Provisioned) -> None:
    four.ssh(WORKERS[0], "systemctl stop airflow-worker")
    first, line = health(four, expect=2)
    assert first == "HEALTH_ERR 1"
    assert line.split()[:2] == ["running.unit", WORKERS[0]]
    said = four.toolkit("wait", "healthy", "--timeout", "1s", expect=1).stdout
    assert f"{WORKERS[0]}: worker unit: inactive" in said
    assert "did you mean running.unit?" in four.toolkit("health", "mute", "runing.unit", expect=2).stderr  # fmt: skip
    assert "running.unit is muted by" in health(four, "mute", "running.unit", "4h")[0]
    assert health(four) == ["HEALTH_OK (1 muted)"]
    assert any("muted by" in line for line in health(four, "detail"))
    assert "mute running.unit 4h)" in four.toolkit("events", "-n", "5").stdout
    assert health(four, "unmute", "running.unit") == ["running.unit counts again"]
    assert health(four, expect=2)[0] == "HEALTH_ERR 1"
    health(four, "mute", "running.unit")
    four.ssh(WORKERS[0], "systemctl start airflow-worker")
    four.toolkit("wait", "healthy", "--timeout", "2m")
    assert four.json("health")["mutes"] == []


def test_the_worker_of_a_drained_host_is_down_on_purpose(four: Provisioned) -> None:
    mark = "/usr/local/lib/airflow-toolkit/drained.json"
    said = four.toolkit("wait", "drained", "-l", WORKERS[1], "--timeout", "1s", expect=1).stdout
    assert f"{WORKERS[1]} is not drained" in said
    drained = f"""echo '{{"since": '$(($(date +%s) - 7200))', "by": "ann@laptop"}}' > {mark}"""
    four.ssh(WORKERS[1], f"{drained}; systemctl stop airflow-worker")
    first, line = health(four, expect=1)
    assert first == "HEALTH_WARN 1"
    assert line == f"health.drained  {WORKERS[1]}  it has been drained for 2 h by ann@laptop"
    rows = {row["host"]: row for row in four.json("status")["rows"]}
    assert rows[WORKERS[1]]["drained"]["by"] == "ann@laptop"
    assert rows[WORKERS[0]]["drained"] is None
    table = four.toolkit("status").stdout.splitlines()
    assert [line.split()[1:3] for line in table if WORKERS[1] in line] == [["worker", "drained"]]
    four.toolkit("wait", "drained", "-l", WORKERS[1])
    four.ssh(WORKERS[1], f"rm {mark}; systemctl start airflow-worker")
    four.toolkit("wait", "healthy", "--timeout", "2m")


def test_health_is_watched_until_ctrl_c(four: Provisioned) -> None:
    command = [TOOLKIT, "health", "-i", str(four.directory), "--watch", "--interval", "0.5"]
    with subprocess.Popen(
        command, env=four.environment, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout
        assert watching.stdout.readline() == "HEALTH_OK\n"
        four.ssh(CONTROL, "chmod 0777 /etc/airflow/airflow.cfg")
        assert watching.stdout.readline() == "HEALTH_WARN 1\n"
        assert watching.stdout.readline().startswith(f"drift.mode  {CONTROL}  ")
        four.ssh(CONTROL, "chmod 0640 /etc/airflow/airflow.cfg")
        assert watching.stdout.readline() == "HEALTH_OK\n"
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130


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
            TOOLKIT,
            [TOOLKIT, "ssh", "-i", str(four.directory), WORKERS[0]],
            {**four.environment, "TERM": "xterm-256color"},
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
    os.write(terminal, b"test -t 0 && echo on a $((40 + 2)) $TERM at $(hostname)\r")
    until(f"on a 42 xterm-256color at {WORKERS[0]}".encode())
    # Keys that stop a program here are the shell's there, and so is the size of the window.
    os.write(terminal, b"sleep 60\r")
    time.sleep(1)
    os.write(terminal, b"\x1a")
    until(b"Stopped")
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 77, 0, 0))
    os.write(terminal, b"kill %1; stty size; exit 5\r")
    until(b"33 77")
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 5
    assert "did you mean" in four.toolkit("ssh", "e2efuor3", expect=2).stderr
    assert four.toolkit("ssh", WORKERS[0], "-b", "--", "id", "-un").stdout == "root\n"


LOAD = """
import time
from datetime import datetime
from airflow.sdk import DAG, task

with DAG("load", start_date=datetime(2026, 1, 1), schedule=None, is_paused_upon_creation=False):
    @task(retries=2, retry_delay=1)
    def work(number):
        time.sleep(6)
    work.expand(number=list(range(200)))
"""


@pytest.fixture(scope="module")
def project(four: Provisioned, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with a DAG that has many tasks, deployed."""
    folder = tmp_path_factory.mktemp("load")
    (folder / "dags").mkdir()
    (folder / "dags/load.py").write_text(LOAD)
    four.toolkit("deploy", str(folder))
    return folder


@pytest.fixture
def load(four: Provisioned, project: Path) -> None:  # noqa: ARG001
    """Tasks for the next minute; none of them may be tried twice."""
    four.toolkit("airflow", "--", "dags", "trigger", "load")


def tries(four: Provisioned) -> dict[str, int]:
    """State and number of the try -> how many tasks."""
    query = (
        "select state || try_number, count(*) from task_instance where dag_id = 'load' group by 1"
    )
    said = four.ssh(DATA, f'runuser -u postgres -- psql -AtF " " -c "{query}" airflow')
    return {line.split()[0]: int(line.split()[1]) for line in said.splitlines() if line.split()[1:]}


@pytest.mark.usefixtures("load")
def test_a_drained_host_ends_its_tasks_and_stays_out_of_work(four: Provisioned) -> None:
    worker = WORKERS[0]
    assert four.json("drain", worker)["hosts"] == [worker]
    said = four.ssh(worker, "systemctl is-enabled airflow-worker; systemctl is-active airflow-worker",
                    check=False)  # fmt: skip
    assert said.split() == ["disabled", "inactive"]
    four.toolkit("start", "worker")  # it stays as it is
    assert four.json("provision", "--no-verify")["changes"] == []
    assert "inactive" in four.ssh(worker, "systemctl is-active airflow-worker", check=False)
    found = four.json("verify")
    assert found["ok"]
    assert worker not in {one["host"] for one in found["checks"] if one["name"] == "queues"}
    last = four.toolkit("drain", WORKERS[1], expect=2)
    assert "the last consumer of queue default" in last.stderr
    refused = four.toolkit("restart", "worker", "--rolling", expect=2)
    assert "with it would go the last consumer of queue default" in refused.stderr
    said = four.toolkit("restart", "worker", "--limit", worker).stderr
    assert "worker restarted on no host" in said
    assert four.json("undrain", worker)["ok"]
    assert "active" in four.ssh(worker, "systemctl is-active airflow-worker")
    # As after a drain that its tasks outlived, and a provision with another setting meanwhile.
    began = four.ssh(worker, BEGAN)
    four.ssh(worker, "touch /etc/airflow/airflow.cfg")
    said = four.toolkit("undrain", worker).stderr
    assert f"{worker} has tasks, so it goes on with the settings from before" in said
    assert four.ssh(worker, BEGAN) == began


@pytest.mark.usefixtures("load")
def test_plugins_that_differ_want_a_rolling_restart_which_loses_no_task(
    four: Provisioned, project: Path
) -> None:
    before = [four.ssh(worker, BEGAN) for worker in WORKERS]
    assert until(lambda: "running1" in tries(four), 60)
    (project / "plugins").mkdir()
    (project / "plugins/ours.py").write_text("NAME = 1\n")
    assert four.json("deploy", str(project))["restart"]
    said = four.toolkit("deploy", str(project)).stdout
    assert "nothing to do" in said and "units began with other plugins: toolkit restart" in said
    # As after a deploy --restart that was cut off.
    found = four.json("deploy", str(project), "--restart")
    assert (found["unchanged"], found["restarted"], found["restart"]) == (True, True, False)
    after = [four.ssh(worker, BEGAN) for worker in WORKERS]
    assert not set(before) & set(after)
    assert not four.json("deploy", str(project))["restart"]
    assert {state for state in tries(four) if not state.endswith(("0", "1"))} == set()


@pytest.mark.usefixtures("load")
def test_tasks_of_a_killed_worker_are_named_and_run_again(four: Provisioned) -> None:
    running = (
        f"select count(*) from task_instance where state = 'running' and hostname = '{WORKERS[0]}'"
    )
    ask = f'runuser -u postgres -- psql -Atc "{running}" airflow'
    assert until(lambda: int(four.ssh(DATA, ask)) > 0, 60)
    four.ssh(WORKERS[0], "systemctl kill --signal=KILL airflow-worker")
    time.sleep(30)
    assert until(lambda: WORKERS[0] in silent(four), 30)
    assert until(lambda: not silent(four), 120)
    # Airflow counts the try when the task is queued again, a moment after it has ended the silent one.
    assert until(lambda: [state for state in tries(four) if state.endswith("2")], 60)
    assert not [state for state in tries(four) if state.startswith("failed")]


def silent(four: Provisioned) -> set[str]:
    """The hosts with tasks that give no heartbeat."""
    command = [TOOLKIT, "health", "-i", str(four.directory), "--json"]
    done = subprocess.run(command, env=four.environment, capture_output=True, text=True, check=False)  # fmt: skip
    found = json.loads(done.stdout)["findings"]
    return {one["host"] for one in found if one["id"] == "health.silent_tasks"}


def test_the_last_one_is_not_stopped_unasked(four: Provisioned) -> None:
    said = four.toolkit("stop", "scheduler", expect=2).stderr
    assert "the last scheduler" in said
    assert "--yes" in said
    assert "no host in play runs webserver" in four.toolkit("stop", "webserver", expect=2).stderr
    assert "this host runs no worker" in four.toolkit("drain", CONTROL, expect=2).stderr


def test_stopped_and_started_in_order(four: Provisioned) -> None:
    four.toolkit("stop", "triggerer", "redis", "--yes")
    said = four.ssh(CONTROL, "systemctl is-active airflow-triggerer", check=False)
    assert "inactive" in said
    assert "inactive" in four.ssh(DATA, "systemctl is-active redis-server", check=False)
    four.toolkit("start", "triggerer", "redis")
    assert four.json("status")["ok"]


def test_maintenance_remembers_what_was_paused(four: Provisioned) -> None:
    four.toolkit("airflow", "--", "dags", "pause", "load")
    assert four.json("maintenance", "on")["dags"] == 0
    four.toolkit("airflow", "--", "dags", "unpause", "load")
    assert four.json("maintenance", "on")["dags"] == 1
    assert four.json("verify")["ok"]  # the canary is not paused
    assert four.json("maintenance", "off")["dags"] == 1
    assert "maintenance was not on" in four.toolkit("maintenance", "off").stdout


@pytest.fixture
def fifth(four: Provisioned) -> Iterator[str]:
    """A bare host more, in group worker."""
    hosts = four.directory / "hosts.yml"
    before = hosts.read_text()
    name = f"{FOUR.lab}5"

    def lab(*words: str) -> str:
        return subprocess.run([TOOLKIT, "lab", *words], env=four.environment, check=True, capture_output=True,
                              text=True, timeout=TIMEOUT).stdout  # fmt: skip

    lab("up", "--name", FOUR.lab, "--hosts", "5")
    (address,) = (
        one["address"] for one in json.loads(lab("list", "--json")) if one["name"] == name
    )
    groups = yaml.safe_load(before)
    groups["all"]["hosts"][name] = {**groups["all"]["hosts"][WORKERS[0]], "ansible_host": address}
    groups["worker"]["hosts"][name] = None
    hosts.write_text(yaml.safe_dump(groups))
    yield name
    hosts.write_text(before)


def test_a_worker_more_and_one_less(four: Provisioned, fifth: str) -> None:
    """Nothing restarts on the others; they know it once it works, and forget it when it is removed."""
    started = (
        "systemctl show -p ActiveEnterTimestampMonotonic 'airflow-*' 'postgresql@*' redis-server"
    )
    others = [CONTROL, DATA, *WORKERS]
    before = [four.ssh(host, started) for host in others]
    # A copy of a host that the limit leaves out.
    assert not [
        one for one in four.json("check", "--limit", fifth)["findings"] if "peers" in one["id"]
    ]
    own = four.ssh(fifth, "hostname").strip()
    four.ssh(fifth, f"hostname {WORKERS[0]}")
    found = four.json("check", "--limit", fifth, expect=2)
    assert [one["id"] for one in found["findings"]] == ["peers.hostname"]
    four.ssh(fifth, f"hostname {own}")
    done = four.toolkit("provision", "--limit", fifth)
    assert f"{fifth} takes tasks; how many run at once in all" in done.stderr
    queues = [one for one in four.json("verify")["checks"] if one["name"] == "queues"]
    assert {one["host"] for one in queues} == {*WORKERS, fifth}
    assert [four.ssh(host, started) for host in others] == before
    assert "it answers, so it is not gone" in four.toolkit("remove", fifth, "--gone", "--yes", expect=2).stderr  # fmt: skip
    assert "declined" in four.toolkit("remove", fifth, expect=3).stderr
    left = four.json("remove", fifth, "--yes")
    assert {line.partition(": ")[2] for line in left["lines"]} == {
        f"{fifth}: and what is below it", f"{fifth}: null",
    }  # fmt: skip
    there = four.ssh(
        fifth, "ls /etc/airflow /opt/airflow /etc/systemd/system/airflow* 2>&1 || true"
    )
    assert there.count("No such file") == 3
    assert "/var/log/airflow" in left["stays"]
    assert fifth not in four.ssh(CONTROL, "cat /usr/local/lib/airflow-toolkit/cluster.json")
    four.podman("rm", fifth, "--force", "--time", "0")
    assert four.json("remove", fifth, "--gone", "--yes")["ok"]


def test_a_host_that_cannot_be_spared_stays(four: Provisioned) -> None:
    assert "the last scheduler" in four.toolkit("remove", CONTROL, "--yes", expect=2).stderr
    assert "whose data would go with it" in four.toolkit("remove", DATA, "--yes", expect=2).stderr
    assert "there is no host w9" in four.toolkit("remove", "w9", "--yes", expect=2).stderr


def test_a_tasks_log_also_when_its_worker_is_gone(four: Provisioned) -> None:
    task = ("--task", "toolkit_canary", f"bash_on_{WORKERS[0]}")
    four.toolkit("airflow", "--", "dags", "trigger", "toolkit_canary")
    followed = four.toolkit("logs", *task, "-f")
    assert f"try 1 of 1, success on {WORKERS[0]}" in followed.stderr
    assert " INFO    Running command: " in followed.stdout
    line = json.loads(four.toolkit("logs", *task, "-n", "1", "--json").stdout)
    assert {"time", "level", "logger", "text"} == line.keys()

    four.ssh(WORKERS[0], "systemctl stop airflow-worker")
    said = four.toolkit("logs", *task, "--grep", "running command")
    assert f"from {WORKERS[0]}: /var/log/airflow/dag_id=toolkit_canary/" in said.stderr
    assert [line for line in followed.stdout.splitlines() if "Running command" in line] == [
        said.stdout.rstrip()
    ]
    unreached = four.directory / f"host_vars/{WORKERS[0]}.yml"
    unreached.parent.mkdir(exist_ok=True)
    unreached.write_text("ansible_port: 9\n")
    try:
        gone = four.toolkit("logs", *task, expect=1).stderr
    finally:
        unreached.unlink()
    assert f"ran on {WORKERS[0]}, which cannot be reached" in gone
    four.ssh(CONTROL, "systemctl stop airflow-api-server")
    said = four.toolkit("logs", *task, "-n", "1")
    assert "nobody answers" in said.stderr and f"from {WORKERS[0]}: " in said.stderr
    four.ssh(CONTROL, "systemctl start airflow-api-server")
    four.ssh(WORKERS[0], "systemctl start airflow-worker")
    wait_for_heartbeats(four)


def test_a_tasks_log_that_there_is_not(four: Provisioned) -> None:
    task = ("--task", "toolkit_canary", f"bash_on_{WORKERS[0]}")
    said = four.toolkit("logs", "--task", "toolkit_canari", "x", expect=2).stderr
    assert "has no DAG toolkit_canari" in said and "use one of: toolkit_canary" in said
    assert "has no run r9" in four.toolkit("logs", *task, "r9", expect=2).stderr
    assert "--try with one of: 1" in four.toolkit("logs", *task, "--try", "9", expect=2).stderr


def test_airflows_api_client(four: Provisioned) -> None:
    said = four.toolkit("airflowctl", "--", "version", "--remote").stdout
    assert f"'version': '{four.version}'" in said
    pools = json.loads(four.toolkit("airflowctl", "--", "pools", "list", "-o", "json").stdout)
    assert [pool["name"] for pool in pools] == ["default_pool"]
    four.toolkit("airflowctl", "--", "pools", "get", "nosuch", expect=1)
    assert not list(Path(tempfile.gettempdir()).glob("toolkit-airflowctl-*"))
