"""The proof that a running cluster works; what is pure of it is checks/running.py.

Airflow's health endpoint was seen all green in six states in which no task could succeed, so the
canary DAG has the last word; the other checks say why when it fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from toolkit.beside import beside
from toolkit.checks import remote_logs
from toolkit.checks.proof import Proof
from toolkit.checks.running import Evidence, prove
from toolkit.cluster import Cluster, Host, Inventory
from toolkit.cluster.topology import (
    airflow_components,
    airflow_option,
    canary_tasks,
    is_enabled,
    records,
    release_line,
)
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
from toolkit.hosts.canary import S3, Canary, Visit, Workers
from toolkit.hosts.database import examine
from toolkit.hosts.state import HostState, states
from toolkit.onhost.bundle import program
from toolkit.run.session import Options, session
from toolkit.run.stages import Stage, Step
from toolkit.verbs.validate import refuse_wrong
from toolkit.verbs.visit import api_login, visits

T = TypeVar("T")
TIMEOUT = 150
"""Seconds that a just started Airflow may take until it is healthy and knows the canary."""


PROVE = Step("prove", "proving that it works", "proved")


def run(inventory: Inventory | Path, options: Options, skip: Collection[str] = ()) -> list[Proof]:
    """Prove a running cluster, as a run of its own.

    Args:
        skip: ids of findings that are left out.

    Raises:
        ToolkitError: the inventory is wrong, or another run works on the cluster.
    """
    cluster = Cluster.load(inventory)
    refuse_wrong(cluster)
    found: list[Proof] = []
    with session(cluster.inventory.identity, "verify", options) as work:

        def prove() -> bool:
            remote = work.connect(cluster)
            work.take_lease(cluster)
            proofs = verify(cluster, remote, work.progress.now)
            found.extend(proof for proof in proofs if proof.id not in skip)
            return all(proof.passes for proof in found)

        # The canary DAG is run and its runs are removed: that is a change.
        if work.carry_out([Stage(PROVE, prove, changes=True)]):
            work.exit_code = 0
    return found


def verify(cluster: Cluster, remote: Remote, report: Callable[[str], None]) -> list[Proof]:
    """Prove the whole cluster, whatever the limit.

    Args:
        report: called with a line when a step begins.
    """
    hosts = [host for host in cluster.all_hosts if airflow_components(cluster, host)]
    database = beside(examine, cluster, remote)
    # Both count the time until a worker answers, which one that ends its tasks does not.
    ended = _ended(cluster, remote, hosts, report)
    at_work = [state.host for state in ended if not state.drained]
    first = beside(_settled, cluster, remote, ended, report)
    workers = beside(_workers, cluster, remote, at_work)
    with ThreadPoolExecutor(1) as pool:  # a run is begun, and removed at its end
        canary_run = pool.submit(canary, cluster, remote, at_work)
        before = first.result()
        report("waiting for health and running the canary DAG")
        ran, queues = canary_run.result(), workers.result()
    report("signing in to the web UI, checking units, ports, secrets and clocks")
    # Once the canary has found that the web server answers.
    visit = partial(_ask, Visit, remote, cluster.web, "browser")
    visited = beside(visits, cluster, ran.login, visit) if ran.health else None
    after = states(cluster, remote, hosts)
    refused = refusals(cluster, remote, ran)
    return prove(
        cluster,
        Evidence(
            before,
            after,
            ran,
            queues,
            refused,
            database.result(),
            visited.result() if visited else None,
        ),
    )


def _ended(
    cluster: Cluster, remote: Remote, hosts: list[Host], report: Callable[[str], None]
) -> list[HostState]:
    """The hosts' state once no unit is on its way down: it ends its tasks first, as long as systemd lets it."""
    allowed = [cluster.setting("airflow_worker_stop_timeout", host) for host in hosts]
    deadline = (
        time.monotonic()
        + TIMEOUT
        + max((one for one in allowed if isinstance(one, int)), default=0)
    )
    while True:
        found = states(cluster, remote, hosts, servers=False)
        ending = _in(found, "deactivating")
        if not ending or time.monotonic() > deadline:
            return found
        report(f"waiting until the tasks have ended of {', '.join(ending)}")
        time.sleep(1)


def _settled(
    cluster: Cluster, remote: Remote, found: list[HostState], report: Callable[[str], None]
) -> list[HostState]:
    """The hosts' state once no unit is on its way up or down.

    Args:
        found: their state now.
    """
    hosts = [state.host for state in found]
    deadline = time.monotonic() + TIMEOUT
    while moving := _in(found, "activating", "deactivating"):
        if time.monotonic() > deadline:
            break
        report(f"waiting for {', '.join(moving)}")
        time.sleep(1)
        found = states(cluster, remote, hosts, servers=False)
    return found


def _in(found: list[HostState], *wanted: str) -> list[str]:
    """The units that are in one of systemd's states, in words."""
    return [
        f"{component} on {state.host.name}"
        for state in found
        for component in state.components
        if state.unit(component).active in wanted
    ]


def canary(cluster: Cluster, remote: Remote, hosts: Collection[Host]) -> Canary:
    """Wait until Airflow is healthy, and run the canary DAG.

    Args:
        hosts: where its tasks are to run; of those that run none there are no tasks.
    """
    web, line = cluster.web, release_line(cluster) or {}
    components = {
        component.health
        for component in records(cluster).values()
        if component.health and is_enabled(cluster, component, web)
    }
    payload = {
        **api_login(cluster),
        "health_path": line["health_path"],
        "healthy": ["metadatabase", *sorted(components)],
        "tasks": [name for host, names in canary_tasks(cluster) if host in hosts for name in names],
        "remote_log_folder": remote_logs.folder(cluster),
        "webserver_config": _webserver_config(cluster),
        "timeout": TIMEOUT,
    }
    return _ask(Canary, remote, web, "canary", payload)


def _webserver_config(cluster: Cluster) -> str:
    """FAB's configuration on the web server's host, which says who can sign in by a password."""
    chosen = (
        airflow_option(cluster, cluster.web, one, "config_file") for one in ("fab", "webserver")
    )
    return next(filter(None, chosen), "/var/lib/airflow/webserver_config.py")


def _workers(cluster: Cluster, remote: Remote, hosts: Collection[Host]) -> Workers:
    """What the workers of these hosts consume."""
    count = sum(host in hosts for host in cluster.group("worker"))
    if not count:
        return Workers()
    payload = {"workers": count, "timeout": 60}
    return _ask(Workers, remote, cluster.group("scheduler")[0], "workers", payload)


def _ask(kind: type[T], remote: Remote, host: Host, name: str, payload: dict[str, Any]) -> T:
    """A program's answer, or the host's problem as its `error`."""
    try:
        answer = remote.run_script(host, program(name), payload, timeout=2 * TIMEOUT + 60)
    except HostProblem as problem:
        answer = {"error": problem.what}
    return read(kind, answer)


def refusals(cluster: Cluster, remote: Remote, canary: Canary) -> dict[str, S3]:
    """What S3 refuses to each host whose log is missing, and to the web server; host -> answer."""
    if not canary.logs:  # not asked for, or nothing ran
        return {}
    asked: dict[str, tuple[Host, tuple[str, ...]]] = {
        host.name: (host, remote_logs.WRITES)
        for host, tasks in canary_tasks(cluster)
        if remote_logs.missing(canary.logs, tasks) is not None
    }
    if asked:
        web = cluster.web
        asked.setdefault(web.name, (web, remote_logs.READS))
    folder = remote_logs.folder(cluster)
    return {
        name: _ask(S3, remote, host, "s3", {"folder": folder, "actions": list(actions)})
        for name, (host, actions) in asked.items()
    }
