"""The part of Airflow 3's REST API that the canary uses, for one run of it."""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any

DAG = "/api/v2/dags/toolkit_canary"
RUNS = f"{DAG}/dagRuns"


class AirflowApi:
    """Serves on a port of this machine; the run ends as `outcome` says.

    Attributes:
        payload: what toolkit/onhost/canary.py is given to use it.
        removed: ids of the runs that were removed.
    """

    def __init__(self, outcome: str) -> None:
        self.removed: list[str] = []
        self._outcome = outcome
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.payload = {
            "url": f"http://127.0.0.1:{self._server.server_port}",
            "authorities": [],
            "api_prefix": "/api/v2",
            "health_path": "/api/v2/monitor/health",
            "healthy": ["metadatabase", "scheduler"],
            "username": "toolkit-canary",
            "password": "secret",
            "remote_log_folder": "s3://logs",
            "webserver_config": "/nosuch",
            "tasks": ["bash"],
            "timeout": 20,
        }

    def __enter__(self) -> AirflowApi:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """Status and JSON."""
        task = {"task_id": "bash", "state": self._outcome, "try_number": 1}
        log = [{"event": "s3://logs/bash/1.log"}, {"event": "::endgroup::"}, {"event": "boom"}]
        answers: dict[tuple[str, str], tuple[int, Any]] = {
            ("GET", "/api/v2/monitor/health"): (200, {
                "metadatabase": {"status": "healthy"},
                "scheduler": {"status": "healthy"},
                "triggerer": {"status": None},
            }),
            ("GET", f"{DAG}/tasks"): (200, {"tasks": [{"task_id": "bash"}]}),
            ("PATCH", DAG): (200, {}),
            ("POST", RUNS): (200, {"dag_run_id": "run1"}),
            ("GET", f"{RUNS}/run1"): (200, {"state": self._outcome}),
            ("GET", f"{RUNS}/run1/taskInstances"): (200, {"task_instances": [task]}),
            ("GET", f"{RUNS}/run1/taskInstances/bash/logs/1"): (200, {"content": log}),
            ("GET", f"{RUNS}?limit=100"): (200, {"dag_runs": [{"dag_run_id": "run1"}]}),
        }  # fmt: skip
        if path == "/auth/token":
            ok = body["password"] == "secret"
            return (201, {"access_token": "t"}) if ok else (401, {"detail": "no"})
        if method == "DELETE":
            self.removed.append(path.rpartition("/")[2])
            return 204, None
        return answers.get((method, path), (404, {"detail": path}))

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        api = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = api.answer(self.command, self.path, body)
                text = answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                text = b"" if answer is None else text
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = do_PATCH = do_DELETE = handle_one  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        return Handler
