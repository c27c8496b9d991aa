"""What is not well in a running cluster although its units are active: pure, from the hosts' answers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from toolkit.checks.common import error
from toolkit.checks.thresholds import HEARTBEAT
from toolkit.cluster import Cluster
from toolkit.cluster.tables import server_groups
from toolkit.cluster.topology import airflow_option, engine, ports
from toolkit.findings import Finding
from toolkit.hosts.state import HostState, silences
from toolkit.hosts.typed import as_root, journal

_INTERVALS = (
    ("scheduler", "scheduler_heartbeat_sec"),
    ("scheduler", "job_heartbeat_sec"),
    ("triggerer", "job_heartbeat_sec"),
)
"""Airflow's options of the time between heartbeats of components, on both lines (airflow/jobs/job.py, _heartrate)."""
TASKS = (
    ("workers", "min_heartbeat_interval"),
    ("scheduler", "local_task_job_heartbeat_sec"),
    ("scheduler", "job_heartbeat_sec"),
)
"""The same of tasks, on either line (airflow/sdk/execution_time/supervisor.py; jobs/local_task_job_runner.py)."""


def not_well(cluster: Cluster, found: Iterable[HostState]) -> Iterator[Finding]:
    """Servers that do not answer, ports that are closed, heartbeats that are old."""
    reached = [state for state in found if not state.problem]
    for state in reached:
        host = state.host.name
        if state.database and state.database.error:
            what = f"the database does not answer: {state.database.error}"
            yield error(
                "alive.metadata_db", host=host, what=what, fix=_server(cluster, "metadata_db")
            )
        if state.broker_error:
            what = f"the broker does not answer: {state.broker_error}"
            yield error("alive.broker", host=host, what=what, fix=_server(cluster, "broker"))
    for state in reached:
        yield from _closed(cluster, state)
    yield from _old(reached, max(HEARTBEAT, 3 * interval(cluster)))


def _server(cluster: Cluster, group: str) -> str:
    """Where to look for the cause: at our server's unit, or at a server elsewhere."""
    elsewhere = server_groups()[group].url
    own = [] if cluster.setting(elsewhere) else cluster.group(group)
    if own:
        return as_root(own[0].access, f"systemctl status '{engine(cluster, group).name}*'")
    return f"have the server of {elsewhere} answer the scheduler's host"


def _closed(cluster: Cluster, state: HostState) -> Iterator[Finding]:
    """Ports of active units that are closed or silent; the others are known not to work."""
    for port in ports(cluster, state.host):
        active = (
            port.component in state.components and state.unit(port.component).active == "active"
        )
        if active and port.number not in state.ports:
            does = f"does not listen on port {port.number} yet, or no more"
            yield _of_component(state, port.component, "alive.port", does)
        elif active and port.number in state.silent:
            does = f"takes connections on port {port.number} and answers nothing"
            yield _of_component(state, port.component, "alive.silent", does)


def _of_component(state: HostState, component: str, kind: str, does: str) -> Finding:
    fix = journal(state.host.access, component)
    return error(kind, host=state.host.name, what=f"{component} {does}", fix=fix)


def interval(cluster: Cluster, options: Iterable[tuple[str, str]] = _INTERVALS) -> float:
    """The longest time in seconds between two heartbeats that somebody has set, 0 for none."""
    return max(
        (
            _seconds(airflow_option(cluster, host, section, option))
            for host in cluster.all_hosts
            for section, option in options
        ),
        default=0.0,
    )


def _seconds(written: str) -> float:
    """A number, or 0 for what Airflow has refused or a template has not told yet."""
    with suppress(ValueError):
        return float(written)
    return 0.0


def _old(found: list[HostState], most: float) -> Iterator[Finding]:
    for state, component, seconds in silences(found):
        if seconds > most:
            does = f"has given no heartbeat for {seconds:.0f} s"
            yield _of_component(state, component, "alive.heartbeat", does)
