"""What every file of rules uses: findings by severity, and the hosts that answered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from toolkit.cluster import Cluster, Host
from toolkit.findings import Finding, Severity, entries
from toolkit.hosts.facts import Facts, Probe

Rule = Callable[[Cluster, Probe], Iterable[Finding]]
"""A pure function from what is wanted and what is there to what is wrong."""


def _finding(
    severity: Severity, id: str, *, host: str, what: str, fix: str, why: str = "", remedy: str = ""
) -> Finding:
    """A finding whose `why` is the catalog's, unless the rule has a more exact one."""
    return Finding(id, severity, host, what, why or entries()[id].why, fix, remedy)


error = partial(_finding, Severity.ERROR)
warning = partial(_finding, Severity.WARNING)
note = partial(_finding, Severity.NOTE)

SETTINGS_FILE = "group_vars/all/airflow.yml"


def answering(cluster: Cluster, probe: Probe) -> Iterator[tuple[Host, Facts]]:
    """The hosts in play that answered the probe, with their facts."""
    for host in cluster.hosts:
        if host.name in probe.facts:
            yield host, probe.facts[host.name]


def listed(names: Iterable[object]) -> str:
    """Names as a sentence has them: "a, b and c"."""
    *most, last = [str(name) for name in names]
    return f"{', '.join(most)} and {last}" if most else last
