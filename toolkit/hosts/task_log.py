"""A task's log: what is asked for, and what Airflow's API and the hosts' files answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.topology import airflow_option
from toolkit.errors import ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
from toolkit.onhost.bundle import program

FOLDER = "/var/log/airflow"
"""Where logs are, unless logging.base_log_folder says otherwise."""
TIMEOUT = 150
"""Seconds for the web server, which asks a worker for a log that may be large."""


@dataclass(frozen=True)
class Asked:
    """Which log, and how much of it.

    Attributes:
        run: "" for the newest of the DAG that has the task.
        attempt: the try, from 1; 0 for the newest.
        map_index: None where the task is not mapped.
        lines: the newest so many entries.
        grep: a regular expression that an entry has to match; "" for all.
        follow: whether it is shown as it is written.
        after: of a log that is followed, how many entries are known already.
    """

    dag: str
    task: str
    run: str = ""
    attempt: int = 0
    map_index: int | None = None
    lines: int = 100
    grep: str = ""
    follow: bool = False
    after: int = 0

    def __str__(self) -> str:
        return f"{self.dag}.{self.task}"


@dataclass(frozen=True)
class Entry:
    """An entry of a task's log.

    Attributes:
        time: ISO 8601; "" for one that goes on with the entry before.
        level: such as "info"; "" likewise.
        logger: who wrote it; in Airflow 2 the file and line.
        text: may have several lines.
    """

    text: str
    time: str = ""
    level: str = ""
    logger: str = ""

    @property
    def seconds(self) -> float | None:
        """Its time since the epoch; None where it has none that can be read."""
        try:
            return datetime.fromisoformat(self.time).timestamp()
        except ValueError:
            return None

    def as_json(self) -> dict[str, Any]:
        """It as plain JSON data."""
        return {
            "time": self.seconds,
            "level": self.level,
            "logger": self.logger,
            "text": self.text,
        }


@dataclass(frozen=True)
class ByApi:
    """What Airflow's API has (onhost/task_log.py).

    Attributes:
        unknown: "dag", "run", "task", "begun" (the DAG has the task, no run does), "map_index", "try" or "".
        there: what there is of that.
        error: why there is no answer.
        tries: how many there were; 0 before the task has begun.
        state: of the try, such as "success".
        hostname: who ran it, as Airflow calls that host.
        ended: whether nothing more will come.
        entries: those that are asked for.
        seen: how many there are in all.
        sources: where Airflow looked for the log, and what went wrong there.
    """

    unknown: str = ""
    there: tuple[Any, ...] = ()
    error: str = ""
    run: str = ""
    attempt: int = 0
    tries: int = 0
    map_index: int = -1
    state: str | None = None
    hostname: str = ""
    ended: bool = False
    entries: tuple[Entry, ...] = ()
    seen: int = 0
    sources: tuple[str, ...] = ()


@dataclass(frozen=True)
class InFiles:
    """What a host has in its folder of logs (onhost/task_files.py).

    Attributes:
        names: what the host calls itself.
        path: the file; "" where it has none.
        changed: when it was written last, seconds since the epoch.
        map_indexes: of the run, those that are here.
    """

    names: tuple[str, ...] = ()
    path: str = ""
    run: str = ""
    attempt: int = 0
    changed: float = 0
    map_index: int = -1
    map_indexes: tuple[int, ...] = ()
    entries: tuple[Entry, ...] = field(default=(), repr=False)


def refuse_wrong_pattern(grep: str) -> None:
    """A regular expression that is none.

    Raises:
        ToolkitError: it cannot be read.
    """
    try:
        re.compile(grep)
    except re.error as error:
        raise ToolkitError(
            f"--grep {grep} is no regular expression: {error}",
            fix="put a backslash before characters that mean themselves: . * + ? ( ) [ ] { } | ^ $",
        ) from None


def by_api(cluster: Cluster, remote: Remote, login: Mapping[str, Any], asked: Asked) -> ByApi:
    """Ask Airflow's API, on the web server's host.

    Args:
        login: URL and account (verbs/visit.py).
    """
    payload = {**login, **asdict(asked)}
    try:
        answer = remote.run_script(cluster.web, program("task_log"), payload, timeout=TIMEOUT)
    except HostProblem as problem:
        return ByApi(error=f"{problem.host}: {problem.what}")
    return read(ByApi, answer)


def in_files(
    cluster: Cluster, remote: Remote, asked: Asked
) -> tuple[dict[str, InFiles], list[HostProblem]]:
    """Ask the folders of logs of all hosts in play, at once.

    Returns:
        Host -> what it has; and what is wrong with hosts that could not be asked.
    """
    found = remote.fan_out(
        cluster.hosts,
        program("task_files"),
        lambda host: {**asdict(asked), "folder": folder(cluster, host)},
        timeout=TIMEOUT,
    )
    problems = [one for one in found.values() if isinstance(one, HostProblem)]
    return {
        name: read(InFiles, one) for name, one in found.items() if not isinstance(one, HostProblem)
    }, problems


def folder(cluster: Cluster, host: Host) -> str:
    """Where a host has its logs."""
    return airflow_option(cluster, host, "logging", "base_log_folder") or FOLDER
