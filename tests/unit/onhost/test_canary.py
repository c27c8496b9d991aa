"""Where the web server of either release line finds a task's log, as the canary reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost.canary import login, remote_log, start

FOLDER = "s3://my-logs/prod"
KEY = f"{FOLDER}/dag_id=toolkit_canary/run_id=r/task_id=bash/attempt=1.log"
AIRFLOW_3 = [
    {"event": "::group::Log message source details", "timestamp": None},
    {"event": KEY, "timestamp": None},
    {"event": "::endgroup::", "timestamp": None},
    {"event": "Running command: ['bash', '-c', 'true']"},
]
AIRFLOW_2 = f"[('w1', '*** Found logs in s3:\\n***   * {KEY}\\n[2026-11-21] running')]"


class Api:
    """Answers as the web server of either release line."""

    def __init__(self, status: int, answer: dict[str, Any]) -> None:
        self.answer = status, answer

    def call(self, *_: str) -> tuple[int, dict[str, Any]]:
        return self.answer


def asked(status: int, answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = remote_log(Api(status, answer), "/logs/1", FOLDER, 0)
    return found


@pytest.mark.parametrize("content", [AIRFLOW_3, AIRFLOW_2])
def test_the_place_of_a_log_is_read(content: Any) -> None:
    assert asked(200, {"content": content})["place"] == KEY


@pytest.mark.parametrize(
    ("status", "answer"),
    [
        (200, {"content": [{"event": "/var/log/airflow/x.log"}, {"event": "::endgroup::"}]}),
        # The folder is named by the task itself.
        (200, {"content": [{"event": "::endgroup::"}, {"event": f"Could not write logs to {KEY}"}]}),
        (200, {"content": f"[('w1', '*** Found local files:\\n[..] Could not write to {KEY}')]"}),
        (200, {"content": [*AIRFLOW_3, {"event": f"Could not read logs from {KEY} with error: x"}]}),
        (200, {"content": [{"event": KEY.replace("prod", "test")}, {"event": "::endgroup::"}]}),
        (500, {"detail": KEY}),
    ],
)  # fmt: skip
def test_a_log_from_elsewhere_does_not_count(status: int, answer: dict[str, Any]) -> None:
    assert asked(status, answer)["place"] is None


def test_how_people_sign_in_is_read_from_fab_s_configuration(tmp_path: Path) -> None:
    path = tmp_path / "webserver_config.py"
    assert login(str(path)) == ""
    path.write_text("# AUTH_TYPE = AUTH_LDAP\nimport os\nAUTH_TYPE = AUTH_OAUTH  # Keycloak\n")
    assert login(str(path)) == "AUTH_OAUTH"


class Known:
    """A web server that knows these tasks of the canary, and in the second answer those as well."""

    login = ("toolkit-canary", "")

    def __init__(self, *tasks: set[str]) -> None:
        self.found = list(tasks)
        self.called: list[object] = []

    def sign_in(self) -> int:
        return 200

    def tasks(self) -> set[str]:
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def parse(self) -> None:
        self.called.append("parse")

    def end_runs(self) -> None:
        self.called.append("ended")

    def pause(self, paused: bool) -> None:
        self.called.append(f"paused: {paused}")

    def trigger(self) -> tuple[int, dict[str, str]]:
        self.called.append("trigger")
        return 200, {"dag_run_id": "r1"}

    def leave_out(self, run_id: str, task: str) -> None:
        self.called.append((run_id, task))


def test_tasks_of_drained_hosts_are_out_before_the_scheduler_sees_the_run() -> None:
    api = Known({"bash_on_w1", "bash_on_w2"})
    assert start(api, {"bash_on_w1"}, lambda: 5.0) == ("r1", None)
    assert api.called == ["ended", "paused: True", "trigger", ("r1", "bash_on_w2"), "paused: False"]


def test_a_new_host_s_tasks_are_waited_for() -> None:
    api = Known({"bash_on_w1"}, {"bash_on_w1"}, {"bash_on_w1", "bash_on_w2"})
    start(api, {"bash_on_w1", "bash_on_w2"}, lambda: 5.0)
    assert api.called == ["parse", "ended", "paused: False", "trigger", "paused: False"]
