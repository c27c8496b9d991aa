"""Where the web server of either release line finds a task's log, as the canary reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from toolkit.onhost.canary import login, remote_log

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
