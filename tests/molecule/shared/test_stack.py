"""A DAG runs through what plain ansible-playbook installed."""

from __future__ import annotations

import json
import time
from typing import Any


def test_the_canary_dag_succeeds(host: Any) -> None:
    if not host.service("airflow-scheduler").exists:
        return
    with host.sudo():
        # It fails when the dag-processor registers the same new DAG at that moment.
        once = "airflow dags reserialize 2>/dev/null"
        host.check_output(f"{once} || {once}")
        host.check_output("airflow dags trigger toolkit_canary 2>/dev/null")
        for _ in range(40):
            told = host.check_output("airflow dags list-runs toolkit_canary -o json 2>/dev/null")
            states = [run["state"] for run in json.loads(told[told.index("[{") :])]
            if "success" in states:
                return
            assert "failed" not in states
            time.sleep(1)
    raise AssertionError(states)
