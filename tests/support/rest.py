"""Airflow's REST API of either line as a test uses it: with the admin's password, at the cluster's URL."""

from __future__ import annotations

import base64
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from support.lab_cluster import Cluster

ENDED = {"success", "failed"}


@dataclass
class Rest:
    """Calls below one URL."""

    url: str
    prefix: str
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Cluster) -> Rest:
        """Signed in as the admin."""
        found = cluster.json("provision", "--check")
        url, password = found["url"], cluster.vault()["airflow_admin_password"]
        if cluster.version.startswith("2."):
            token = base64.b64encode(f"admin:{password}".encode()).decode()
            return cls(url, "/api/v1", {"Authorization": f"Basic {token}"})
        rest = cls(url, "")
        answer = rest.call("/auth/token", {"username": "admin", "password": password})
        return cls(url, "/api/v2", {"Authorization": f"Bearer {answer['access_token']}"})

    def call(self, path: str, body: object = None, method: str = "") -> Any:
        """The JSON of an answer."""
        data = None if body is None else json.dumps(body).encode()
        headers = self.headers | {"Content-Type": "application/json"}
        request = urllib.request.Request(
            self.url + self.prefix + path, data, headers, method=method or None
        )
        for again in range(10):
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.loads(answer.read() or b"null")
            except urllib.error.HTTPError as error:
                # A busy web server of one host; what is wrong with the call would be wrong again.
                if error.code < 500 or again == 9:
                    raise
            except OSError:
                # What was asked to change something may have done so.
                if data or again == 9:
                    raise
            time.sleep(3)
        raise AssertionError

    def dags(self) -> list[str]:
        """The ids of all DAGs."""
        found: list[str] = []
        while True:
            page = self.call(f"/dags?limit=100&offset={len(found)}&only_active=true")["dags"]
            found += [one["dag_id"] for one in page]
            if len(page) < 100:
                return found

    def start(self, dag: str) -> str:
        """A new run's id; "" for a DAG that cannot be started without more, such as parameters."""
        self.pause(dag, False)
        # As the web UI does; some DAGs use the date.
        body = {"logical_date": datetime.now(UTC).isoformat()}
        try:
            run: str = self.call(f"/dags/{dag}/dagRuns", body)["dag_run_id"]
        except urllib.error.HTTPError as error:
            if error.code != 400:
                raise
            return ""
        return run

    def pause(self, dag: str, paused: bool = True) -> None:
        """Have no more runs by schedule, and those that run already not go on; or have both again.

        A SubDAG of Airflow 2 is paused by itself, which the web UI spares its users.
        """
        tasks = self.call(f"/dags/{dag}/tasks")["tasks"]
        below = [
            f"{dag}.{task['task_id']}"
            for task in tasks
            if (task["class_ref"] or {}).get("class_name") == "SubDagOperator"
        ]
        for one in (dag, *below):
            self.call(f"/dags/{one}", {"is_paused": paused}, "PATCH")

    def ended(self, runs: Iterable[tuple[str, str]], within: float) -> dict[tuple[str, str], str]:
        """The state of each run (DAG and id) once all have ended or time (seconds) is up."""
        states: dict[tuple[str, str], str] = dict.fromkeys(runs, "")
        deadline = time.monotonic() + within
        while time.monotonic() < deadline and not ENDED.issuperset(
            state for (_, run), state in states.items() if run
        ):
            for dag, run in [key for key, state in states.items() if state not in ENDED and key[1]]:
                states[dag, run] = self.call(f"/dags/{dag}/dagRuns/{run}")["state"]
            time.sleep(2)
        return states

    def tasks(self, dag: str, run: str) -> dict[str, str]:
        """Task -> state."""
        found = self.call(f"/dags/{dag}/dagRuns/{run}/taskInstances?limit=1000")["task_instances"]
        return {one["task_id"]: one["state"] for one in found}

    def log(self, dag: str, run: str, task: str) -> str:
        """The end of a task's log."""
        try:
            return str(self.call(f"/dags/{dag}/dagRuns/{run}/taskInstances/{task}/logs/1"))[-800:]
        except urllib.error.HTTPError as error:
            return f"no log: HTTP {error.code}"
