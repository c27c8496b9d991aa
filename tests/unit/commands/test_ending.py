"""How commands end: exit status, JSON, questions, defects, and streams that take nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.hostile import GOOD, Place, judge, place, write

from toolkit import ending
from toolkit.cli import root
from toolkit.errors import EXIT_DECLINED, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_REFUSED

TOOLKIT = [sys.executable, "-c", "from toolkit.cli import main; main()"]


@pytest.fixture
def here() -> Iterator[Place]:
    with place() as found:
        write(found.directory / "inv", GOOD)
        yield found


def error_of(here: Place, *arguments: str) -> tuple[object, dict[str, Any]]:
    ended = here.run(list(arguments))
    judge(ended, list(arguments))
    told = json.loads(ended.out)
    assert told["ok"] is False
    return ended.status, told["error"]


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["--json"], "--json"),
        (["nosuch", "--json"], "No such command 'nosuch'"),
        (["check", "--json"], "Missing option '-i'"),
        (["check", "--json", "--nosuch"], "No such option '--nosuch'"),
        (["lock", "--json", "-i"], "requires an argument"),
        (["init", "x", "--sample", "y", "--json"], "--json"),
        (["runs", "--last", "x", "--json"], "not a valid integer"),
        (["runs", "--last", "-1", "--json"], "not in the range"),
        (["lab", "list", "x", "--json"], "unexpected extra argument"),
        (["check", "-i", "inv", "--json", "--fix"], "does not go with --json"),
        (["ec2", "nosuch", "--json"], "No such command"),
    ],
)
def test_what_click_refuses_is_json_too(here: Place, arguments: list[str], what: str) -> None:
    status, error = error_of(here, *arguments)
    assert status == EXIT_REFUSED
    assert what in error["what"]
    assert error["fix"].endswith("--help")


@pytest.mark.parametrize("verb", ["check", "plan", "status", "verify", "provision", "lock", "runs"])
@pytest.mark.parametrize("name", ["", " "])
def test_no_name_is_no_directory(here: Place, verb: str, name: str) -> None:
    status, error = error_of(here, verb, "-i", name, "--json")
    assert status == EXIT_REFUSED
    assert "name is missing" in error["what"]


@pytest.mark.parametrize(
    "limit",
    ["!", "&", "~[", "~", "~(", "@", "@nosuch", "", ",", "worker[9]", "h[", "!,all", "@inv"],
)
def test_a_pattern_without_meaning_is_not_all_hosts(here: Place, limit: str) -> None:
    for verb in ("provision", "status"):
        status, error = error_of(here, verb, "-i", "inv", "--limit", limit, "--json")
        assert status == EXIT_REFUSED
        assert error["what"]


@pytest.mark.parametrize("lacking", ["webserver", "scheduler", "metadata_db"])
def test_what_cannot_have_been_provisioned_cannot_be_proven(here: Place, lacking: str) -> None:
    groups = {name: body for name, body in GOOD["hosts.yml"].items() if name != lacking}
    write(here.directory / "other", {"hosts.yml": groups})
    status, error = error_of(here, "verify", "-i", "other", "--json")
    assert (status, error["id"].partition(".")[0]) == (EXIT_REFUSED, "planning")


def test_a_setting_of_another_role(here: Place) -> None:
    status, error = error_of(here, "settings", "airflow_version", "--role", "postgres", "--json")
    assert (status, error["what"]) == (
        EXIT_REFUSED, "airflow_version is a setting of role airflow, not of postgres"
    )  # fmt: skip


def test_a_question_that_is_answered_with_no(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.commands.options.is_asked", lambda: True)
    for answer in ("n\n", "no\n", ""):
        ended = here.run(["provision", "u@127.0.0.1"], stdin=answer)
        assert ended.status == EXIT_DECLINED
        assert "declined: nothing was changed" in ended.err
        assert "interrupted" not in ended.err
        assert not ended.written
    ended = here.run(["provision", "u@127.0.0.1", "--json"], stdin="n\n")
    assert (ended.status, json.loads(ended.out)["ok"]) == (EXIT_DECLINED, False)


def test_an_inventory_that_a_refused_provision_has_made_is_told(here: Place) -> None:
    ended = here.run(["provision", "nobody.invalid", "-i", "fresh", "--json"])
    assert (ended.status, json.loads(ended.out)["wrote"]) == (EXIT_REFUSED, ["fresh"])
    assert "wrote fresh;" in ended.err


def test_an_interrupt(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("toolkit.cluster.Cluster.load", interrupt)
    status, error = error_of(here, "check", "-i", "inv", "--json")
    assert status == EXIT_INTERRUPTED
    assert "interrupted" in error["what"]


INTERRUPTED_AGAIN = """
import os, signal
from unittest import mock
from toolkit import cli, ending

def interrupt(*_, **__):
    os.kill(os.getpid(), signal.SIGINT)

def report(*arguments):
    interrupt()
    return told(*arguments)

told = ending.report
with mock.patch("toolkit.cluster.Cluster.load", interrupt), mock.patch("toolkit.ending.report", report):
    cli.main()
"""


@pytest.mark.usefixtures("here")
def test_an_interrupt_while_one_is_reported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_AGAIN, "check", "-i", "inv"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == EXIT_INTERRUPTED
    assert done.stderr.strip() == "interrupted; run the same command again to continue"


LINES = """
import os, signal
import click
from toolkit import ending

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
ending.open_streams()
for number in range(100):
    try:
        click.echo(number, err=True)
        for _ in range(20_000):
            pass
    except KeyboardInterrupt:
        pass
signal.signal(signal.SIGINT, signal.SIG_IGN)
click.echo("end", err=True)
"""


def test_a_line_that_an_interrupt_follows_is_written_once() -> None:
    """On one CPU its reader interrupts before the writer has come back from the system."""
    everywhere = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(everywhere)})
    try:
        process = subprocess.Popen([sys.executable, "-c", LINES], stderr=subprocess.PIPE, text=True)
        assert process.stderr
        seen = []
        for line in process.stderr:
            seen.append(line.strip())
            if seen[-1] != "end":
                process.send_signal(signal.SIGINT)
    finally:
        os.sched_setaffinity(0, everywhere)
    assert process.wait() == 0
    assert seen == [*map(str, range(100)), "end"]


@pytest.mark.parametrize("as_json", [True, False])
def test_a_defect_is_one_sentence_and_a_file(
    here: Place, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    def fail(*_: object) -> None:
        raise LookupError("no 'secret-password' here")

    monkeypatch.setattr("toolkit.cluster.Cluster.load", fail)
    ended = here.run(["check", "-i", "inv", *["--json"] * as_json])
    assert ended.status == EXIT_FAILED
    assert "this is a defect of the toolkit: LookupError in " in ended.out + ended.err
    assert "Traceback" not in ended.out + ended.err
    (kept,) = (here.directory / "home/state/toolkit/defects").iterdir()
    assert str(kept) in ended.out + ended.err
    assert "test_ending.py" in kept.read_text()
    assert "secret-password" not in kept.read_text().splitlines()[-1]
    assert kept.stat().st_mode & 0o077 == 0


def test_a_defect_without_a_place_to_record_it(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/proc/nosuch")
    monkeypatch.setattr("toolkit.cluster.Cluster.load", lambda _: {}["x"])
    ended = here.run(["check", "-i", "inv"])
    assert ended.status == EXIT_FAILED
    assert "its traceback cannot be recorded" in ended.err


@pytest.mark.parametrize("state", ["/proc/nosuch", "/dev/null", "inv/hosts.yml", "/sys/x"])
def test_a_state_directory_that_cannot_be_written(
    here: Place, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(Path(state).absolute()))
    for arguments in (["lock"], ["provision"], ["verify"], ["ec2", "up"]):
        status, error = error_of(here, *arguments, "-i", "inv", "--json")
        assert status == EXIT_REFUSED
        assert "XDG_STATE_HOME" in error["fix"]


def _apart(mounts: str, here: Place, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A call of the toolkit where other things are mounted; root only."""
    environment = os.environ | {"XDG_STATE_HOME": str(here.directory / "state"), "PATH": os.defpath}
    unshare = ["/usr/bin/unshare", "--mount"]
    probe = subprocess.run([*unshare, "true"], env=environment, capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this user may not mount anything, not even for itself")
    script = f'{mounts} && exec "$@"'
    command = [*unshare, "sh", "-c", script, "sh", *TOOLKIT, *arguments]
    return subprocess.run(
        command, cwd=here.directory, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("arguments", [["check"], ["provision"], ["lock"], ["plan"]])
def test_an_inventory_on_a_read_only_disk(here: Place, arguments: list[str]) -> None:
    mounts = "mount --bind inv inv && mount -o remount,ro,bind inv"
    done = _apart(mounts, here, *arguments, "-i", "inv", "--json")
    assert done.returncode in (0, EXIT_REFUSED), done
    assert "Traceback" not in done.stderr
    assert isinstance(json.loads(done.stdout), dict)


def test_a_state_directory_that_is_full(here: Place) -> None:
    (here.directory / "state").mkdir()
    mounts = (
        "mount -t tmpfs -o size=4k tmpfs state && { head -c 9000 /dev/zero > state/x || true; }"
    )
    done = _apart(mounts, here, "provision", "-i", "inv", "--json")
    assert done.returncode == EXIT_REFUSED, done
    error = json.loads(done.stdout)["error"]
    assert "No space left" in error["what"] and "XDG_STATE_HOME" in error["fix"]


def test_a_cache_that_cannot_be_written_is_done_without(
    here: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/nosuch")
    ended = here.run(["provision", "--print-command", "-i", "inv", "--json"])
    assert ended.status == 0
    assert "--limit" not in json.loads(ended.out)["command"]


def test_the_working_directory_is_gone(here: Place) -> None:
    gone = here.directory / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    ended = here.run(["check", "-i", "inv"])
    assert ended.status == EXIT_REFUSED
    assert "the working directory is gone" in ended.err


@pytest.mark.parametrize("graph", ["nosuch/x.svg", "inv/hosts.yml/x.svg", "/proc/nosuch/x.svg"])
def test_a_picture_where_none_can_be_is_refused_before_hosts_are_asked(
    here: Place, graph: str
) -> None:
    status, error = error_of(here, "plan", "-i", "inv", "--json", "--graph", graph)
    assert status == EXIT_REFUSED
    assert "the picture cannot be written" in error["what"]
    assert not (here.directory / "nosuch").exists()


@pytest.mark.parametrize(
    "arguments",
    [["check", "--explain", "ports.taken", "--json"], ["check", "--json", "--explain", "ports.taken"],
     ["provision", "-i", "inv", "--print-command", "--json"]],
)  # fmt: skip
def test_answers_that_were_text_under_json(here: Place, arguments: list[str]) -> None:
    ended = here.run(arguments)
    assert ended.status == 0
    assert json.loads(ended.out)


def test_every_status_is_documented() -> None:
    text = str(root.epilog)
    for status in (0, EXIT_FAILED, EXIT_REFUSED, EXIT_DECLINED, EXIT_INTERRUPTED):
        assert f"{status} " in text


# Streams: a process of its own, with descriptors that the shell closed or that lead nowhere.

STREAMS = [
    (">&-", 0), (">/dev/full", EXIT_FAILED), (">/dev/full 2>&1", EXIT_FAILED), ("<&- >&- 2>&-", 0),
    ("2>&-", 0), ("| true", EXIT_FAILED),
]  # fmt: skip


@pytest.mark.parametrize(("redirection", "status"), STREAMS)
def test_streams_that_take_nothing(redirection: str, status: int) -> None:
    # Longer than a pipe's buffer, and than Python's.
    typed = 'for n in 1; do "$@" settings; done ' + redirection
    ended = subprocess.run(
        ["bash", "-c", f"{typed}; exit ${{PIPESTATUS[0]}}", "bash", *TOOLKIT],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ended.returncode == status
    assert "Traceback" not in ended.stderr
    assert "Exception ignored" not in ended.stderr
    assert ("the output cannot be written" in ended.stderr) == (redirection == ">/dev/full")


def test_an_error_that_nobody_can_read() -> None:
    for redirection in ("2>/dev/full", "2>&-", ">&- 2>&-", "<&-"):
        ended = subprocess.run(
            ["bash", "-c", f'"$@" settings nosuch {redirection}', "bash", *TOOLKIT],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode in (EXIT_FAILED, EXIT_REFUSED)
        assert "Traceback" not in ended.stderr


def test_a_name_of_any_bytes() -> None:
    ended = subprocess.run(
        [*TOOLKIT, "settings", b"\xff\xc3\xa4"], capture_output=True, check=False,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )  # fmt: skip
    assert ended.returncode == EXIT_REFUSED
    assert b"there is no setting" in ended.stderr


def test_a_message_is_masked_where_it_quotes() -> None:
    try:
        int("a-secret")
    except ValueError as error:
        assert "a-secret" not in "".join(ending._told(error)).splitlines()[-1]


SPEAKS = """
import os, subprocess
from toolkit import ending

ending.speak_utf8()
print(os.environ.get("LC_ALL"), subprocess.run(["ansible-playbook", "--version"], stdout=-3).returncode)
"""


@pytest.mark.parametrize(("variables", "locale"), [
    ({"LC_ALL": "C"}, "C.UTF-8"),
    ({"LC_ALL": "POSIX"}, "C.UTF-8"),
    ({"LC_ALL": "xx_XX.UTF-8"}, "C.UTF-8"),  # one that this machine does not have
    ({"LANG": "xx_XX.ISO-8859-1"}, "C.UTF-8"),
    ({}, "C.UTF-8"),
    ({"LANG": "C.UTF-8"}, None),
])  # fmt: skip
def test_ansible_starts_whatever_the_locale_of_the_user(
    variables: dict[str, str], locale: str | None
) -> None:
    kept = {
        name: value for name, value in os.environ.items() if name != "LANG" and name[:3] != "LC_"
    }
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    # Python takes C for UTF-8 by itself, and tells its children so.
    own = {"PATH": path, "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, "-c", SPEAKS], env=kept | own | variables, check=True,
                          capture_output=True, text=True)  # fmt: skip
    assert done.stdout.split() == [str(locale), "0"]
