"""Waiting for a host behind its SSH: the first login, the end of cloud-init; draining a worker."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.onhost.bundle import program

LOGIN_TIMEOUT = 300
"""Seconds from the passed status checks to the first login."""
CLOUD_INIT_TIMEOUT = 900
"""Seconds; packages are installed meanwhile."""
_COMES = ("unreachable", "auth", "timeout")
"""Problems that a host may have while it boots: no sshd yet, no key yet."""


def wait_ready(remote: Remote, hosts: Iterable[Host], say: Callable[[str], None]) -> None:
    """Wait until each host lets us in and cloud-init has done its work.

    Raises:
        ToolkitError: one of them does not.
    """
    script = program("first_boot")
    payload = {"timeout": CLOUD_INIT_TIMEOUT}
    pending = {host.name: host for host in hosts}
    deadline = time.monotonic() + LOGIN_TIMEOUT
    while pending:
        answers = remote.fan_out(pending.values(), script, payload, timeout=CLOUD_INIT_TIMEOUT + 30)
        for name, answer in answers.items():
            if not isinstance(answer, HostProblem):
                say(f"{name}: ready{_first_boot(name, answer)}")
                del pending[name]
            elif answer.kind not in _COMES or time.monotonic() > deadline:
                raise answer
        if pending:
            time.sleep(2)


def _first_boot(name: str, answer: Mapping[str, Any]) -> str:
    """What to add about a host whose first boot has ended."""
    if answer["status"] == "error":
        last = (answer["detail"].splitlines() or ["it does not say why"])[-1]
        raise ToolkitError(
            f"cloud-init failed: {last}",
            where=name,
            fix="see /var/log/cloud-init-output.log there; correct packages or ca_certificates in "
            "ec2.yml",
            exit_code=EXIT_FAILED,
            id="ec2.host_failed",
        )
    return "" if answer["status"] == "done" else " (it has no cloud-init)"


def drain(cluster: Cluster, name: str, say: Callable[[str], None]) -> None:
    """Stop a worker: it takes no more tasks, and those that run are waited for.

    Raises:
        ToolkitError: the host cannot be reached, or the unit does not stop.
    """
    host = cluster.host(name)
    say(f"{name}: draining; its tasks may take until airflow_worker_stop_timeout to end")
    # Not there (never provisioned) or not running: nothing to drain.
    script = "systemctl list-unit-files -q airflow-worker.service >/dev/null || exit 0; " \
             "exec systemctl stop airflow-worker.service"  # fmt: skip
    with Remote(cluster, say=say) as remote:
        try:
            status = remote.run(host, ["sh", "-c", script])
        except HostProblem as problem:
            raise ToolkitError(
                problem.what,
                where=name,
                fix="if the host is lost, give --no-drain",
                exit_code=EXIT_FAILED,
                id="ec2.drain",
            ) from None
    if status:
        raise ToolkitError(
            "airflow-worker.service does not stop",
            where=name,
            fix=f"journalctl -u airflow-worker on {name}; or give --no-drain",
            exit_code=EXIT_FAILED,
            id="ec2.drain",
        )
