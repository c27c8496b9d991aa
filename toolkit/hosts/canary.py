"""What the web server, the workers and S3 answer when a running cluster has to prove itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Task:
    """A task of the canary DAG and how it ended."""

    task: str
    state: str | None = None


@dataclass(frozen=True)
class TaskLog:
    """A task's log as the web server shows it.

    Attributes:
        place: its object in S3; None when it does not come from there.
        status: of HTTP, where it does not.
        text: the beginning of what the web server shows instead.
    """

    place: str | None = None
    status: int | None = None
    text: str = ""


@dataclass(frozen=True)
class Canary:
    """A run of the canary DAG (toolkit/onhost/canary.py).

    Attributes:
        health: part of Airflow -> its status, such as "healthy"; {} when nobody answers.
        health_error: why there is none.
        error: why the DAG could not be started, or the host not be asked.
        state: of the run at its end.
        seconds: from the first try to start it to its end.
        tasks: of the run.
        refused: task -> what it tried and was refused, and the error (toolkit_canary.py.j2).
        logs: task -> its log, when logs are kept in S3 and the run succeeded.
        log: the end of the log of a task that failed.
        login: AUTH_TYPE of webserver_config.py, where there is one.
    """

    health: Mapping[str, str] = field(default_factory=dict)
    health_error: str | None = None
    error: str | None = None
    state: str | None = None
    seconds: float | None = None
    tasks: tuple[Task, ...] = ()
    refused: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    logs: Mapping[str, TaskLog] = field(default_factory=dict)
    log: str = ""
    login: str = ""


@dataclass(frozen=True)
class Workers:
    """Worker's hostname -> the queues that it consumes, or why nobody answers (onhost/workers.py)."""

    queues: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True)
class Slots:
    """Worker's hostname -> how many tasks it can run at once, and how many it has (onhost/workers.py)."""

    slots: Mapping[str, int] = field(default_factory=dict)
    busy: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None

    def free(self, hostname: str) -> int:
        """How many more tasks it could run; 0 for one that does not answer."""
        return max(0, self.slots.get(hostname, 0) - self.busy.get(hostname, 0))


@dataclass(frozen=True)
class Visit:
    """A visit to the web UI by its public URL (onhost/browser.py).

    Attributes:
        reached: whether anybody answered there.
        signed_in: whether the login form led to pages for those who signed in.
        wrong: what was wrong on the way, in sentences.
        redirects: how many were followed.
        files: how many files of pages were fetched.
        guarded: whether something before Airflow wants a sign-in of its own, or nobody signs in by password.
        error: why the host could not be asked.
    """

    reached: bool = False
    guarded: bool = False
    signed_in: bool = False
    wrong: tuple[str, ...] = ()
    redirects: int = 0
    files: int = 0
    error: str | None = None


@dataclass(frozen=True)
class Visits:
    """The visit from this machine, and the one from the web server's host where that was needed."""

    here: Visit = field(default_factory=Visit)
    there: Visit | None = None


@dataclass(frozen=True)
class Denied:
    """A call that S3 refuses: the action in IAM's words, the error's code and text."""

    action: str
    code: str
    text: str


@dataclass(frozen=True)
class S3:
    """The first call that S3 refuses a host, None when it refuses none; or why it was not asked
    (onhost/s3.py)."""

    failed: Denied | None = None
    error: str | None = None
