"""What role airflow promises: units that run, come back, and keep their secrets."""

from __future__ import annotations

import time
from typing import Any

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")


def test_units_run(host: Any) -> None:
    for component in COMPONENTS:
        assert host.service(f"airflow-{component}").is_running
        assert host.service(f"airflow-{component}").is_enabled


def test_the_web_server_answers(host: Any) -> None:
    fetch = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:8080/api/v2/version').read())"
    for _ in range(120):
        done = host.run(f'python3 -c "{fetch}"')
        if done.rc == 0:
            assert "3.3.2" in done.stdout
            return
        time.sleep(0.5)
    raise AssertionError(done.stderr)


def test_a_killed_scheduler_comes_back(host: Any) -> None:
    def pid() -> str:
        return str(host.check_output("systemctl show -p MainPID --value airflow-scheduler"))

    before = pid()
    with host.sudo():
        host.run(f"kill -9 {before}")
    for _ in range(60):
        if pid() not in ("0", before):
            return
        time.sleep(0.5)
    raise AssertionError(pid())


def test_secrets_are_for_the_service_user(host: Any) -> None:
    with host.sudo():
        file = host.file("/etc/airflow/airflow.env")
        assert (file.user, file.group, file.mode) == ("root", "airflow", 0o640)
    assert host.run("cat /etc/airflow/airflow.env").rc != 0


def test_the_command_line_works_for_root(host: Any) -> None:
    with host.sudo():
        assert "toolkit_canary" in host.check_output("airflow dags list 2>/dev/null")
