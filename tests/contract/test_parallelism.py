"""The scheduler's parallelism as the role's variables derive it from what is known of the workers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template
from support import filters

ROLE = Path(__file__).resolve().parents[2] / "roles/airflow"
FACTS = {"memtotal_mb": 16_000, "processor_vcpus": 2}
WORKER = {"group_names": ["worker"], "ansible_facts": FACTS}


def slots(here: str, components: list[str], *workers: dict[str, Any]) -> int:
    loader = DataLoader()
    variables = loader.load_from_file(str(ROLE / "vars/main.yml"), trusted_as_template=True)
    hosts = {f"w{number}": worker for number, worker in enumerate(workers)}
    variables |= {"groups": {"worker": list(hosts)}, "hostvars": hosts, "role_path": str(ROLE), "airflow_version": "3.3.2",
                  "_airflow_here": {"stdout": here}, "_airflow_host_components": components}  # fmt: skip
    filters.load("airflow")
    text = trust_as_template("{{ _airflow_slots | int }}")
    return int(Templar(loader, variables=variables).template(text))


@pytest.mark.parametrize(
    ("here", "components", "workers", "expected"),
    [
        ("", ["scheduler"], [WORKER, WORKER], 32),
        ("parallelism = 9", ["scheduler"], [WORKER, {"airflow_worker_concurrency": 3}], 19),
        # With --limit the facts of others are not there.
        ("current\nparallelism = 9\nairflow:x", ["scheduler"], [WORKER, {"group_names": ["worker"]}], 9),
        ("current", ["scheduler"], [{}], 0),
        ("parallelism = 9", ["worker"], [WORKER, WORKER], 0),
        ("", ["scheduler"], [], 0),
    ],
)  # fmt: skip
def test_it_is_what_all_workers_run_at_once(
    here: str, components: list[str], workers: list[dict[str, Any]], expected: int
) -> None:
    assert slots(here, components, *workers) == expected
