"""The faults by name: what is done to the cluster, and when."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from support.faults import work
from support.faults.lab import Lab
from support.faults.lines import TASKS

Action = Callable[[Lab], object]
"""What is done; a text that it returns is a note of the result."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong.

    Attributes:
        what: it in words.
        steps: what is done, in order, each with the seconds after the first.
        idle: whether it happens to a cluster at rest, and only its coming back is measured.
        seconds: how long a task of the load takes.
        slow: how many do; the others take no time.
        after: how many tasks are done when it comes.
    """

    what: str
    steps: tuple[tuple[float, Action], ...] = ()
    idle: bool = False
    seconds: int = 2
    slow: int = TASKS
    after: int = 25


def _on(host: str, command: str) -> Action:
    """A command on the host `servers`, `scheduler` or `worker`, the first one."""
    return lambda lab: lab.run(lab.workers[0] if host == "worker" else getattr(lab, host), command)


def _kill(host: str, unit: str) -> Action:
    return _on(host, f"systemctl kill --signal=KILL {unit}")


_POSTMASTER = "kill -9 $(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)"
_LOST = "systemctl kill --signal=KILL redis-server; rm -rf /var/lib/redis/appendonlydir /var/lib/redis/dump.rdb"
_CUT = (
    "systemd-run --quiet sh -c 'route=$(ip route show default); ip link set eth0 down; sleep 60; "
    "ip link set eth0 up; ip route add $route'"
)
# A file system of a lab host is that of its machine, so one of its own is laid over and filled.
_FULL = "".join(
    f"mount -t tmpfs -o size=1m,mode={mode},uid={uid},gid={uid} tmpfs {path}; dd if=/dev/zero of={path}/full bs=64k 2>/dev/null; "
    for path, mode, uid in (("/var/log/airflow", "0750", "$(id -u airflow)"), ("/tmp", "1777", "0"))
)
_ROOM = "umount -l /var/log/airflow; umount -l /tmp"
_LATE = (
    'systemd-run --quiet sh -c \'address=$(ip -4 -o addr show eth0 | awk "{print \\$4}"); '
    "route=$(ip route show default); ip addr del $address dev eth0; systemctl restart --no-block redis-server; "
    "sleep 30; ip addr add $address dev eth0; ip route add $route'"
)

FAULTS: Mapping[str, Fault] = {
    "none": Fault("nothing", ((0, Lab.status),)),
    "scheduler-kill": Fault("SIGKILL of the scheduler", ((0, _kill("scheduler", "airflow-scheduler")),)),
    "triggerer-kill": Fault("SIGKILL of the triggerer", ((0, _kill("scheduler", "airflow-triggerer")),)),
    "dag-processor-kill": Fault("SIGKILL of the DAG processor (Airflow 3)", ((0, _kill("scheduler", "airflow-dag-processor")),)),
    "worker-kill": Fault(
        "SIGKILL of a worker and its tasks, tasks of 6 s", ((0, _kill("worker", "airflow-worker")),), seconds=6
    ),
    "worker-host-kill": Fault(
        "power of a worker's host off, on after 4 minutes, tasks of 6 s",
        ((0, lambda lab: lab.kill(lab.workers[0])), (240, lambda lab: lab.start(lab.workers[0]))),
        seconds=6,
    ),
    "redis-restart": Fault("Redis restarted", ((0, _on("servers", "systemctl restart redis-server")),)),
    "redis-kill": Fault("SIGKILL of Redis", ((0, _kill("servers", "redis-server")),)),
    "redis-data-lost": Fault("SIGKILL of Redis, its data removed", ((0, _on("servers", _LOST)),)),
    "postgres-restart": Fault("PostgreSQL restarted", ((0, _on("servers", "systemctl restart postgresql@*-main")),)),
    "postgres-kill": Fault("SIGKILL of the postmaster", ((0, _on("servers", _POSTMASTER)),)),
    "api-server-kill": Fault("SIGKILL of the api-server", ((0, _kill("scheduler", "airflow-api-server")),)),
    "api-server-away": Fault(
        "api-server stands still for 60 s (SIGSTOP)",
        ((0, _on("scheduler", "systemctl kill --signal=STOP airflow-api-server")),
         (60, _on("scheduler", "systemctl kill --signal=CONT airflow-api-server"))),
    ),
    "api-server-stopped": Fault(
        "api-server stopped for 60 s, and its own start",
        ((0, _on("scheduler", "systemctl stop airflow-api-server")),
         (60, _on("scheduler", "systemctl start --no-block airflow-api-server"))),
    ),
    "scheduler-reboot": Fault("scheduler's host power off and on", ((0, lambda lab: lab.restart(lab.scheduler)),)),
    "servers-reboot": Fault("host of database and broker power off and on", ((0, lambda lab: lab.restart(lab.servers)),)),
    "worker-reboot": Fault(
        "a worker's host power off and on, tasks of 6 s", ((0, lambda lab: lab.restart(lab.workers[0])),), seconds=6
    ),
    "all-reboot": Fault(
        "all hosts power off and on",
        ((0, lambda lab: lab.restart(lab.servers, lab.scheduler, *lab.workers)),),
    ),
    "network-cut": Fault("a worker's network down for 60 s", ((0, _on("worker", _CUT)),)),
    "disk-full": Fault(
        "no space below /var/log/airflow and /tmp of the scheduler's host for 60 s",
        ((0, _on("scheduler", _FULL)), (60, _on("scheduler", _ROOM))),
    ),
    "provision-again": Fault("`provision` without a change, tasks of 6 s", ((0, work.again),), seconds=6),
    "provision-changed": Fault("`provision` with another concurrency, tasks of 12 s", ((0, work.changed),), seconds=12),
    "restart-rolling": Fault("`restart --rolling`, tasks of 12 s", ((0, work.rolling),), seconds=12),
    "drain": Fault("`drain` of a worker, and `undrain`, tasks of 6 s", ((0, work.drained),), seconds=6),
    "deploys": Fault("twenty deploys, some killed, tasks of 12 s", ((0, work.deploys),), seconds=12),
    "long-queue": Fault(
        "32 tasks may be queued and 8 run, 40 of 40 s",
        ((0, _on("scheduler", "sed -i 's/^parallelism = .*/parallelism = 32/' /etc/airflow/airflow.cfg; "
                              "systemctl restart airflow-scheduler")),),
        seconds=40,
        slow=40,
        after=0,
    ),
    "database-away": Fault(
        "PostgreSQL stopped for 5 minutes, at rest",
        ((0, _on("servers", "systemctl stop postgresql@*-main")), (300, _on("servers", "systemctl start postgresql"))),
        idle=True,
    ),
    "postmaster-idle": Fault("SIGKILL of the postmaster, at rest", ((0, _on("servers", _POSTMASTER)),), idle=True),
    "late-address": Fault(
        "the broker's address 30 s late, at rest", ((0, _on("servers", _LATE)), (40, Lab.status)), idle=True
    ),
}  # fmt: skip
"""In the order in which they run."""
