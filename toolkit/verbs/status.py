"""The status table: rows of text from what hosts said, and how their secrets compare with the vault's."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from toolkit.checks import ownership
from toolkit.checks.common import note
from toolkit.checks.secrets import difference
from toolkit.cluster import Cluster
from toolkit.cluster.host_secrets import differing, wanted_secrets
from toolkit.errors import ToolkitError
from toolkit.findings import Finding
from toolkit.hosts import Remote
from toolkit.hosts.facts import Probe
from toolkit.hosts.members import ask_left, left_hosts
from toolkit.hosts.state import HostState, heartbeats

HEADINGS = ("HOST", "COMPONENT", "STATE", "SINCE", "RESTARTS", "HEARTBEAT", "MEMORY")


def rows(found: Iterable[HostState]) -> list[dict[str, Any]]:
    """One row a host and component as plain data; ages in seconds, memory in MB."""
    found = list(found)
    ages = heartbeats(found)
    table: list[dict[str, Any]] = []
    for state in found:
        if state.problem:
            table.append({"host": state.host.name, "component": None, "state": state.problem.kind,
                          "problem": state.problem.what, "fix": state.problem.fix})  # fmt: skip
        for component in state.components if not state.problem else ():
            unit = state.unit(component)
            table.append({
                "host": state.host.name,
                "component": component,
                "state": unit.active,
                "sub": unit.sub,
                "since": unit.since,
                "restarts": unit.restarts,
                "heartbeat_age": ages.get((component, state.host.name)),
                "memory_mb": unit.memory_mb,
                "journal": list(unit.journal),
            })  # fmt: skip
    return table


class Comparison:
    """The vault's secrets, read while the hosts are asked: to open a vault takes half a second."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(1)
        self._wanted = self._pool.submit(
            lambda: {host.name: wanted_secrets(cluster, host) for host in cluster.hosts}
        )

    def __enter__(self) -> Comparison:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def differences(self, found: Iterable[HostState]) -> list[Finding]:
        """Which secret of which host is not the vault's; a vault that cannot be opened is a finding too."""
        try:
            wanted = self._wanted.result()
        except ToolkitError as problem:
            return [note("secrets.not_compared", what=problem.what, fix=problem.fix or "")]
        return [
            difference(self._cluster, state.host.name, setting, is_set)
            for state in found
            for setting, is_set in differing(
                wanted[state.host.name], state.nonce, state.secrets
            ).items()
        ]


def text(table: list[dict[str, Any]]) -> str:
    """The rows as an aligned table, with causes below."""
    cells = [HEADINGS]
    notes = []
    for row in table:
        if row["component"] is None:
            cells.append((row["host"], "-", str(row["state"]).upper(), "", "", "", ""))
            notes += [f"{row['host']}: {row['problem']}", f"  fix: {row['fix']}"]
            continue
        age = row["heartbeat_age"]
        cells.append((row["host"], row["component"], f"{row['state']} ({row['sub']})",
                      _ago(row["since"]), str(row["restarts"]),
                      "-" if age is None else f"{age:.0f} s", f"{row['memory_mb']} MB"))  # fmt: skip
        if row["journal"]:
            notes += [f"{row['host']}: last lines of airflow-{row['component']}:"]
            notes += [f"  {line}" for line in row["journal"]]
    return "\n".join([aligned(cells), *notes])


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as lines of text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _ago(since: float | None) -> str:
    if since is None:
        return "-"
    seconds = max(0, int(time.time() - since))
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def left(cluster: Cluster, remote: Remote, found: Iterable[HostState]) -> list[Finding]:
    """Hosts that are in no group any more, and what is still on them."""
    members = left_hosts(cluster, (state.claim for state in found))
    return list(ownership.left(cluster, Probe({}, left=ask_left(cluster, remote, members))))
