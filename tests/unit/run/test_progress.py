"""What a person sees: lines off a terminal, a bar on one, plain words everywhere."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toolkit.cluster import Cluster
from toolkit.run.expected import expected_seconds
from toolkit.run.narrate import Narrator, grouped
from toolkit.run.playbook import Event
from toolkit.run.progress import Progress
from toolkit.run.record import Run
from toolkit.run.stages import Step
from toolkit.run.words import words_for

REPOSITORY = Path(__file__).resolve().parents[3]
ROLES = sorted(path.name for path in (REPOSITORY / "roles").iterdir())
PREPARE = Step("prepare", "installing and configuring", "installed and configured")

SCRIPT = """
import time
from toolkit.run.progress import Progress
from toolkit.run.stages import Step
progress = Progress({"prepare": 1, "prove": 1})
progress.hosts(["h1", "h2"])
with progress.shown():
    progress.begin(Step("prepare", "installing and configuring", "installed and configured"))
    progress.host("h1", "installing packages")
    progress.count("h1", "24 of 41")
    progress.host("h1", "installing packages")  # the next task of the same kind
    time.sleep(0.6)
    progress.end()
"""


def on_a_terminal(**environment: str) -> str:
    """What the script above draws on a terminal."""
    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], stderr=follower, stdout=follower, stdin=follower,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"} | environment,
    ) as process:  # fmt: skip
        os.close(follower)
        text = b""
        while True:
            try:
                text += os.read(leader, 65536)
            except OSError:
                break
        assert process.wait() == 0, text.decode()
    os.close(leader)
    return text.decode()


def test_off_a_terminal_each_step_that_ends_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress({"prepare": 30})
    with progress.shown():
        progress.begin(PREPARE)
        progress.host("h1", "installing packages")
        progress.task("h1: base: Install packages")
        progress.end()
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith("s] installed and configured")


def test_on_a_terminal_there_is_a_bar_with_time_left_and_a_line_a_host() -> None:
    text = on_a_terminal()
    assert "%" in text and "left" in text
    assert "h1  installing packages, 24 of 41" in text
    assert "installed and configured" in text


def test_no_color_40_columns_and_ascii_do_not_break_it() -> None:
    text = on_a_terminal(NO_COLOR="1", COLUMNS="40", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert "\x1b[3" not in text and text.isascii()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
    assert max(map(len, plain.replace("\r", "\n").splitlines())) <= 40


def test_a_dumb_terminal_gets_lines() -> None:
    text = on_a_terminal(TERM="dumb")
    assert text.count("\n") == 1 and "\x1b" not in text


def test_the_bar_never_goes_back_nor_reaches_the_end_early() -> None:
    progress = Progress({"prepare": 0.001, "prove": 60})
    progress.begin(PREPARE)
    shown = [progress.estimate()[0] for _ in range(50)]
    progress.quiet = True
    progress.end()
    progress.begin(Step("prove", "proving", "proved"))
    shown += [progress.estimate()[0]]
    assert shown == sorted(shown, key=lambda done: done or 0)
    assert (shown[-1] or 0) < 1


@pytest.mark.parametrize("role", ROLES)
def test_every_task_has_words_that_name_no_role_and_no_task(role: str) -> None:
    names = {
        task["name"]
        for path in (REPOSITORY / "roles" / role).glob("*/*.yml")
        if path.parent.name in {"tasks", "handlers"}
        for task in yaml.safe_load(path.read_text()) or []
        if isinstance(task, dict) and "name" in task
    }
    for name in names:
        words = words_for(role, name)
        assert words.text != words_for("unheard-of", name).text, f"add {role} to run/words.yml"
        assert words.text not in names
        assert not {"metadata_db", "base", role} & set(words.text.split()) - {"python"}


def test_plays_are_steps_and_failures_are_shown_on_the_hosts_line() -> None:
    progress, came = Progress(quiet=True), []
    narrator = Narrator(progress, {"Prepare": PREPARE}, came.append)
    narrator.hear(Event("start", "h1", "Prepare", "base", "Install packages with apt-get"))
    assert progress._hosts["h1"] == "installing packages"
    narrator.hear(Event("failed", "h1", "Prepare", "base", "Install packages with apt-get"))
    assert progress._hosts["h1"] == "failed: installing packages"
    assert came == [PREPARE]


def test_changes_come_in_groups_and_removals_by_name(cluster: Cluster) -> None:
    unit = "/etc/systemd/system/airflow-flower.service"
    changes = [
        Event("changed", "h1", "Start", "airflow", "Write the units"),
        Event("changed", "h1", "Start", "airflow", "Remove their files", removed=(unit,)),
        Event("changed", "h1", "Prepare", "postgres", "Configure the server"),
    ]
    assert grouped(cluster, changes) == ["changed: Airflow 2, database 1", f"removed: {unit}"]


def test_a_run_is_expected_to_take_as_long_as_the_last_one(cluster: Cluster) -> None:
    shipped = expected_seconds(cluster.directory, "provision")
    assert list(shipped) == ["read", "check", "prepare", "migrate", "start", "prove"]
    run = Run.start(cluster.directory, "provision", "toolkit provision")
    run.stages |= {"prepare": 7.5}
    run.finish("succeeded")
    assert expected_seconds(cluster.directory, "provision")["prepare"] == 7.5
    Run.start(cluster.directory, "provision", "toolkit provision").finish("failed")
    assert expected_seconds(cluster.directory, "provision")["prepare"] == 7.5
    assert expected_seconds(cluster.directory, "unheard-of") == {}
