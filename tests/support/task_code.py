"""Runs DAG code as people write it on a lab host: kinds of tasks, and Airflow's own example DAGs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from support.lab_cluster import REPOSITORY, Cluster
from support.rest import Rest

KINDS = REPOSITORY / "tests/e2e/dags/task_kinds.py"
EXAMPLES = REPOSITORY / "tests/support/example_dags.yml"
AT_ONCE = 12
PREPARE = """
set -eu
export DEBIAN_FRONTEND=noninteractive UV_SYSTEM_CERTS=1
apt-get install -qq -y --no-install-recommends default-jre-headless nodejs git iproute2 procps >/dev/null
getent group shared >/dev/null || groupadd shared
usermod -aG shared airflow
install -d -m 0755 -o airflow /data
install -d -m 0755 /home/shared
install -d -m 0777 /home/shared/out
echo 1 > /home/shared/input
chmod 0644 /home/shared/input
umask 022
uv=/usr/local/lib/airflow-toolkit/uv
"$uv" venv -q --allow-existing --python /usr/bin/python3 /home/shared/env
"$uv" pip install -q --python /home/shared/env/bin/python tabulate==0.9.0
airflow connections get task_kinds_fs >/dev/null 2>&1 || airflow connections add task_kinds_fs --conn-type fs >/dev/null
# The groups of a user count for a unit that starts after it got them.
systemctl restart $(systemctl list-units --plain --no-legend 'airflow-*.service' | cut -d' ' -f1)
"""


@dataclass(frozen=True)
class Result:
    """How a task or a DAG ended, why it may end otherwise than well, and its log where it is wrong."""

    name: str
    state: str
    excuse: str = ""
    log: str = ""

    @property
    def is_right(self) -> bool:
        """Whether it succeeded, or could not have."""
        return self.state == "success" or bool(self.excuse)


def kinds(cluster: Cluster, host: str, report: Callable[[str], None]) -> list[Result]:
    """Run every kind of task on a provisioned host with numba in its environment."""
    report("preparing the host: Java, Node, folders, an environment")
    cluster.ssh(host, PREPARE)
    _put(cluster, host, KINDS)
    cluster.toolkit("verify")
    rest = Rest.of(cluster)
    run = rest.start(KINDS.stem)
    report(f"running DAG {KINDS.stem}")
    rest.ended([(KINDS.stem, run)], 900)
    states = rest.tasks(KINDS.stem, run)
    wrong = {name for name, state in states.items() if state != "success"}
    logs = {name: rest.log(KINDS.stem, run, name) for name in wrong}
    return [Result(name, str(state), "", logs.get(name, "")) for name, state in states.items()]


def _put(cluster: Cluster, host: str, path: Path) -> None:
    """Have a DAG in the folder, and known to Airflow at once."""
    name = f"/var/lib/airflow/dags/current/{path.name}"
    cluster.ssh(host, f"cat > {name} <<'END'\n{path.read_text()}\nEND\nchmod 0644 {name}")
    cluster.reserialize(host)


def examples(cluster: Cluster, report: Callable[[str], None]) -> list[Result]:
    """Run all of Airflow's example DAGs on a host that was provisioned with airflow_load_examples."""
    excuses: dict[str, str] = yaml.safe_load(EXAMPLES.read_text())
    rest = Rest.of(cluster)
    names = [name for name in rest.dags() if name not in {"toolkit_canary", KINDS.stem}]
    report(f"running {len(names)} example DAGs")
    found: list[Result] = []
    # Some at once: all of them, with their runs by schedule, are more than a host of two CPUs can do.
    for begin in range(0, len(names), AT_ONCE):
        found += _examples(rest, names[begin : begin + AT_ONCE], excuses)
        report(f"{len(found)} of {len(names)} have run")
    return found


def _examples(rest: Rest, names: list[str], excuses: Mapping[str, str]) -> list[Result]:
    runs = [(name, rest.start(name)) for name in names]
    states = rest.ended([run for run in runs if run[0] not in excuses], 600)
    states |= rest.ended([run for run in runs if run[0] in excuses], 1)
    for name in names:
        rest.pause(name)
    return [
        Result(
            name,
            states[name, run] or "not started",
            excuses.get(name, ""),
            _log_of_failed(rest, name, run) if run and states[name, run] != "success" else "",
        )
        for name, run in runs
    ]


def _log_of_failed(rest: Rest, dag: str, run: str) -> str:
    states = rest.tasks(dag, run)
    failed = [name for name, state in states.items() if state == "failed"]
    return rest.log(dag, run, failed[0]) if failed else str(states)
