"""Waiting for a state of a running cluster."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from toolkit.checks.common import few
from toolkit.checks.report import Report
from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.health import Seen
from toolkit.hosts.state import HostState
from toolkit.verbs.health import Health

PAUSE = 2.0
"""Seconds between two questions."""
CONDITIONS = ("healthy", "drained", "deployed=ID")

_RELEASE = re.compile(r"\d{8}(T\d{0,6}|T\d{6}Z(-[0-9a-f]*)?)?")
"""A release id (`releases.release_id`), or its beginning."""

Missing = Callable[[Report, Seen], list[str]]
"""What is missing yet, in sentences; [] once the state is reached."""


def missing_of(cluster: Cluster, condition: str) -> Missing:
    """What says whether a condition holds.

    Args:
        condition: one of CONDITIONS.

    Raises:
        ToolkitError: there is no such condition, or no host in play that it could be about.
    """
    name, _, value = condition.partition("=")
    if condition == "healthy":
        return _not_healthy
    if condition == "drained":
        if not any("worker" in host.groups for host in cluster.hosts):
            raise ToolkitError("no host in play runs a worker, so none can be drained",
                               fix="--limit HOST names one of the group worker")  # fmt: skip
        return lambda _, seen: [line for state in seen.states for line in _not_drained(state)]
    if name == "deployed" and value:
        if not _RELEASE.fullmatch(value):
            raise ToolkitError(f"{value!r} is no release id, nor the beginning of one",
                               fix="toolkit deploy -i DIR --list shows them")  # fmt: skip
        return lambda _, seen: [
            line for state in seen.states for line in _not_deployed(state, value)
        ]
    raise ToolkitError(f"nobody can wait for {condition!r}", fix=f"one of: {', '.join(CONDITIONS)}")


def wait(
    health: Health, missing: Missing, seconds: float, report: Callable[[str], None]
) -> list[str]:
    """Wait until nothing is missing.

    Args:
        seconds: how long at most.
        report: called with what is missing, when it has changed; not in the first two seconds.

    Returns:
        What is missing at the end; [] when the state was reached.
    """
    begun, said = time.monotonic(), ""
    while True:
        left = missing(*health.judged())
        passed = time.monotonic() - begun
        if not left or passed + PAUSE > seconds:
            return left
        words = few(left, 3)
        if passed > PAUSE and words != said:
            report(words)
            said = words
        time.sleep(PAUSE)


def _not_healthy(made: Report, _: Seen) -> list[str]:
    """Errors that are not muted; with warnings a cluster works."""
    return [
        f"{line.host + ': ' if line.host else ''}{line.what} [{line.code}]"
        for line in made.counted
        if line.rank == 2
    ]


def _not_drained(state: HostState) -> list[str]:
    name = state.host.name
    if "worker" not in state.host.groups:
        return []
    if state.problem:
        return [f"{name}: {state.problem.what}"]
    if not state.drained:
        return [f"{name} is not drained"]
    active = state.unit("worker").active
    return [] if active in ("inactive", "failed") else [f"the worker of {name} is {active}"]


def _not_deployed(state: HostState, release: str) -> list[str]:
    if state.problem:
        return [f"{state.host.name}: {state.problem.what}"]
    if not state.components or state.dags.startswith(release):
        return []
    return [f"{state.host.name} has {state.dags or 'no deployed release'}"]
