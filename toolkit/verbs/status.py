"""The status table: rows of text from what hosts said, and how their secrets compare with the vault's."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from toolkit.beside import beside
from toolkit.checks import ownership, running
from toolkit.checks.alive import not_well
from toolkit.checks.common import note
from toolkit.checks.proof import failures
from toolkit.checks.secrets import difference
from toolkit.cluster import Cluster
from toolkit.cluster.host_secrets import differing, wanted_secrets
from toolkit.durations import written
from toolkit.errors import ToolkitError
from toolkit.findings import Finding
from toolkit.hosts import Remote
from toolkit.hosts.facts import Probe
from toolkit.hosts.members import ask_left, left_hosts
from toolkit.hosts.state import DatabaseState, HostState, Maintenance, heartbeats, states

HEADINGS = ("HOST", "COMPONENT", "STATE", "SINCE", "RESTARTS", "HEARTBEAT", "MEMORY")


@dataclass(frozen=True)
class Status:
    """How the hosts in play are.

    Attributes:
        rows: one a host and component.
        stopped: units that do not run and have to, and hosts that were not reached; the rows say it as well.
        unwell: what is wrong although units run.
        notes: what is worth a look, and is not red.
        releases: of Airflow, that are current on hosts.
        dags: the same of DAGs.
        schema: of the database, or why it was not read; "" where nobody asked.
        maintenance: since when all DAGs are paused; None where they are not.
    """

    rows: list[dict[str, Any]]
    stopped: list[Finding]
    unwell: list[Finding]
    notes: list[Finding]
    releases: list[str]
    dags: list[str]
    schema: str
    maintenance: Maintenance | None = None

    @property
    def ok(self) -> bool:
        """Whether all that has to run does, and is well."""
        return not self.stopped and not self.unwell

    @property
    def findings(self) -> list[Finding]:
        """What the rows do not say."""
        return self.unwell + self.notes


def status(cluster: Cluster, remote: Remote, vault: Comparison) -> Status:
    """Ask the hosts in play how they are."""
    found = states(cluster, remote, cluster.hosts)
    database = next((state.database for state in found if state.database), DatabaseState())
    return Status(
        rows(found),
        failures([*running.units(found, found)]),
        list(not_well(cluster, found)),
        vault.differences(found) + left(cluster, remote, found),
        sorted({state.release for state in found if state.release}),
        sorted({state.dags for state in found if state.dags}),
        database.schema or database.error,
        next((state.maintenance for state in found if state.maintenance), None),
    )


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
                "drained": state.drained and asdict(state.drained),
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
        self._wanted = beside(
            lambda: {host.name: wanted_secrets(cluster, host) for host in cluster.hosts}
        )

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
        cells.append((row["host"], row["component"], _state(row),
                      _ago(row["since"]), str(row["restarts"]),
                      "-" if age is None else f"{age:.0f} s", f"{row['memory_mb']} MB"))  # fmt: skip
        if row["journal"] and not _rests(row):
            notes += [f"{row['host']}: last lines of airflow-{row['component']}:"]
            notes += [f"  {line}" for line in row["journal"]]
    return "\n".join([aligned(cells), *notes])


def _rests(row: dict[str, Any]) -> bool:
    """Whether it is the worker of a drained host that is down, as it has to be."""
    return bool(row["drained"]) and row["component"] == "worker" and row["state"] != "active"


def _state(row: dict[str, Any]) -> str:
    if row["drained"] and row["component"] == "worker":
        return "drained" if _rests(row) else f"{row['state']} (draining)"
    return f"{row['state']} ({row['sub']})"


def aligned(cells: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as lines of text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) for row in cells]
    return "\n".join(line.rstrip() for line in lines)


def _ago(since: float | None) -> str:
    if since is None:
        return "-"
    return f"{written(time.time() - since)} ago"


def left(cluster: Cluster, remote: Remote, found: Iterable[HostState]) -> list[Finding]:
    """Hosts that are in no group any more, and what is still on them."""
    members = left_hosts(cluster, (state.claim for state in found))
    return list(ownership.left(cluster, Probe({}, left=ask_left(cluster, remote, members))))
