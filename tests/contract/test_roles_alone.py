"""A role finds the shared filters when it is used alone, by plain ansible-playbook."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = f"('{REPOSITORY}/roles/python' | cluster_platform('python', ansible_facts)).offered"
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        {{cacheable: true, memtotal_mb: 4000, processor_vcpus: 2, os_family: Debian, distribution: Debian,
          distribution_version: "12", distribution_major_version: "12"}}
    - ansible.builtin.import_role: {{name: {role}, tasks_from: {entry}}}
      when: false
    - ansible.builtin.debug: {{msg: "ANSWER {{{{ {value} }}}}!"}}
"""


@pytest.mark.parametrize(
    ("role", "entry", "value", "answer"),
    [
        ("postgres", "main", "_postgres_config.max_connections", "300"),
        ("mysql", "main", "_mysql_config.max_connections", "300"),
        ("redis", "main", "_redis_config.bind", "127.0.0.1"),
        ("python", "interpreter", TABLE, ":"),
        ("airflow", "environment", "_airflow_web_server.address", "127.0.0.1"),
        ("airflow", "environment", "_airflow_executor", "LocalExecutor"),
    ],
)
def test_its_filters_are_found(
    tmp_path: Path, role: str, entry: str, value: str, answer: str
) -> None:
    playbook = tmp_path / "alone.yml"
    playbook.write_text(PLAYBOOK.format(role=role, entry=entry, value=value))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", playbook],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ANSWER {answer}!" in done.stdout
