"""Releases of DAGs on the hosts: which there are, which are needed, when Airflow shows one; and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.beside import beside
from toolkit.cluster import Cluster, Host, Inventory
from toolkit.cluster.topology import airflow_option, major
from toolkit.errors import ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.answer import read
from toolkit.hosts.dags import HostDags, Release, dag_hosts, inspect, parsing_hosts, remove
from toolkit.onhost import canary
from toolkit.onhost.bundle import program
from toolkit.onhost.in_airflow.dags import BUNDLE
from toolkit.onhost.releases import CURRENT, RELEASES, THROUGH
from toolkit.verbs.status import aligned
from toolkit.verbs.validate import refuse_wrong
from toolkit.verbs.visit import api_login

SEEN_WITHIN = 90
"""Seconds until Airflow has to show a release: its DAG processor may be busy with a file that takes long."""


def now() -> str:
    """The time as releases have it."""
    return datetime.now(UTC).isoformat(timespec="seconds")


# What stands in the way


def refuse_inventory(cluster: Cluster) -> None:
    """One that is wrong; and a user's own folder or bundles, which are theirs to fill.

    Raises:
        ToolkitError: nothing can be deployed by it.
    """
    refuse_wrong(cluster)
    for host in dag_hosts(cluster):
        folder = str(cluster.setting("airflow_dags_folder", host) or "")
        if folder:
            raise ToolkitError(
                f"airflow_dags_folder is {folder}: its DAGs are brought there by you, so there is nothing to deploy to",
                where=host.name,
                fix="copy your DAGs there; or remove airflow_dags_folder from the inventory, then: toolkit provision -i "
                f"{cluster.inventory}",
            )
        bundles = airflow_option(cluster, host, "dag_processor", "dag_bundle_config_list")
        if bundles and "airflow_toolkit_bundle" not in bundles:
            raise ToolkitError(
                "dag_processor.dag_bundle_config_list has bundles of your own, and none for deployed DAGs",
                where=host.name,
                fix='add {"name": "deployed", "classpath": "airflow_toolkit_bundle.ReleaseDagBundle", "kwargs": {}} to '
                f"it, then: toolkit provision -i {cluster.inventory}",
            )


def refuse_hosts(cluster: Cluster, there: Mapping[str, HostDags]) -> None:
    """Hosts that nothing can be deployed to.

    Raises:
        ToolkitError: there is one.
    """
    for name, one in there.items():
        if not one.ready:
            raise ToolkitError(
                "this host is not provisioned, or by a toolkit that knew no deploys",
                where=name,
                fix=f"toolkit provision -i {cluster.inventory}",
            )
        if one.folder != THROUGH and not one.folder.startswith(("releases/", f"{RELEASES}/")):
            what = f"leads to {one.folder}" if one.folder else "is no link of ours"
            raise ToolkitError(
                f"{CURRENT} {what}, and belongs to somebody else",
                where=name,
                fix=f"sudo mv {CURRENT} {CURRENT}.yours on this host, then: toolkit provision -i {cluster.inventory}",
            )


# What is needed


@dataclass(frozen=True)
class Needed:
    """Which releases Airflow needs (onhost/runs.py).

    Attributes:
        runs: release -> how many of its runs are unfinished.
        parsed: releases that DAGs were parsed from; a new run of theirs begins there.
        error: why nobody knows.
    """

    runs: Mapping[str, int] = field(default_factory=dict)
    parsed: tuple[str, ...] = ()
    error: str = ""


def needed(cluster: Cluster, remote: Remote, host: Host) -> Needed:
    """Ask Airflow's database. In Airflow 2 a run has no release."""
    if major(cluster) == "2":
        return Needed()
    try:
        return read(Needed, remote.run_script(host, program("runs"), {}))
    except HostProblem as problem:
        return Needed(error=problem.what)


def prune(
    cluster: Cluster, remote: Remote, host: Host, there: Mapping[str, HostDags], current: str
) -> str:
    """Remove releases that are older than those to keep, and that no run needs; why nothing was, or "".

    Args:
        host: where the database is asked.
        there: the hosts as they were before the release came.
        current: the release that is current now.
    """
    wanted = needed(cluster, remote, host)
    if wanted.error:
        return wanted.error
    keep = int(cluster.setting("airflow_dags_keep") or 1)
    remove(remote, dag_hosts(cluster), superfluous(there, current, wanted, keep))
    return ""


def superfluous(
    there: Mapping[str, HostDags], current: str, wanted: Needed, keep: int
) -> list[str]:
    """The releases that nobody needs.

    Args:
        keep: how many stay to go back to, the current one included; the last that were current.
    """
    moments = {one.id: one.moment for host_dags in there.values() for one in host_dags.releases}
    others = sorted(moments.keys() - {current}, key=lambda name: moments[name], reverse=True)
    former = {one.current for one in there.values()}
    needed_now = {current, *former, *wanted.runs, *wanted.parsed}
    return sorted(set(others[keep - 1 :]) - needed_now)


# When Airflow shows it


@dataclass(frozen=True)
class Seen:
    """What Airflow's API shows (onhost/seen.py)."""

    seen: bool = False
    dags: int = 0
    error: str = ""


def seen(
    cluster: Cluster, remote: Remote, release: str, dags: list[str], changed: list[str],
    removed: list[str], since: str, *, copies: bool,
) -> Seen:  # fmt: skip
    """Wait until Airflow shows a release.

    Args:
        dags: ids of all its DAGs.
        changed: of those that differ from the release before.
        removed: of those that it has not any more.
        since: when the change was written, for Airflow 2.
        copies: whether Airflow 3 has DAGs until now that somebody copied.
    """
    payload = {
        **api_login(cluster),
        "versioned": major(cluster) != "2",
        "bundle": BUNDLE,
        "release": release,
        "dags": dags,
        "changed": changed,
        "removed": removed,
        "since": since,
        "copies": copies,
        "canary": canary.DAG,
        "timeout": SEEN_WITHIN,
    }
    try:
        answer = remote.run_script(cluster.web, program("seen"), payload, timeout=2 * SEEN_WITHIN)
    except HostProblem as problem:
        return Seen(error=problem.what)
    return read(Seen, answer)


# The list of them


@dataclass(frozen=True)
class Row:
    """A release for `deploy --list`.

    Attributes:
        current: the hosts that it is current on.
        missing: hosts that do not have it.
        runs: how many unfinished runs began with it; None where nobody knows, or in Airflow 2.
    """

    release: Release
    current: tuple[str, ...]
    missing: tuple[str, ...]
    runs: int | None

    def as_json(self) -> dict[str, Any]:
        """It as plain JSON data."""
        one, switched = self.release, self.release.switched
        return {
            "id": one.id,
            "made": one.made,
            "by": one.by,
            "source": one.origin.source,
            "ref": one.origin.ref,
            "commit": one.origin.commit,
            "modified": one.origin.modified,
            "dags": switched.dags if switched else None,
            "switched": switched.when if switched else None,
            "current_on": list(self.current),
            "missing_on": list(self.missing),
            "runs": self.runs,
        }


def listed(
    inventory: Inventory | Path, become_password: str | None, lost: Callable[[HostProblem], None]
) -> list[Row]:
    """Every release that was current once, the one that was last made so first.

    Args:
        lost: called with what is wrong with hosts that cannot be asked.

    Raises:
        ToolkitError: the inventory is wrong, or DAGs are not deployed on these hosts.
        HostProblem: no host that imports DAGs can be reached.
    """
    cluster = Cluster.load(inventory)
    refuse_inventory(cluster)
    parsing = [host for host, _ in parsing_hosts(cluster)]
    with Remote(cluster, become_password=become_password) as remote:
        asked = beside(needed, cluster, remote, parsing[0])
        problems: list[HostProblem] = []
        there = inspect(cluster, remote, dag_hosts(cluster), lost=problems.append)
        wanted = asked.result()
    host = next((one for one in parsing if one.name in there), None)
    if host is None:
        raise problems[0]
    for problem in problems:
        lost(problem)
    refuse_hosts(cluster, there)
    versioned = major(cluster) != "2" and not wanted.error
    rows = []
    for one in sorted(there[host.name].releases, key=lambda release: release.moment, reverse=True):
        if one.switched:
            on = tuple(name for name, host_dags in there.items() if host_dags.current == one.id)
            missing = tuple(name for name, host_dags in there.items()
                            if one.id not in {other.id for other in host_dags.releases})  # fmt: skip
            runs = wanted.runs.get(one.id, 0) if versioned else None
            rows.append(Row(one, on, missing, runs))
    return rows


HEADINGS = ("", "ID", "SWITCHED", "BY", "FROM", "REF", "DAGS", "RUNS")


def text(rows: list[Row]) -> str:
    """The list for people."""
    if not rows:
        return "no DAGs were deployed yet"
    cells = [HEADINGS]
    notes = []
    for row in rows:
        one, switched = row.release, row.release.switched
        assert switched
        origin = one.origin
        ref = " ".join(
            filter(None, [origin.ref, origin.commit[:10], "(modified)" if origin.modified else ""])
        )
        runs = "-" if row.runs is None else str(row.runs)
        cells.append(("*" if row.current else "", one.id, switched.when.replace("+00:00", "Z"), switched.by or one.by,
                      origin.source, ref or "-", str(switched.dags), runs))  # fmt: skip
        if row.missing:
            notes.append(f"{one.id} is not on {', '.join(row.missing)}")
    others = sorted({name for row in rows for name in row.current})
    if sum(bool(row.current) for row in rows) > 1:
        notes.append(
            f"the hosts {', '.join(others)} differ in which release is current: run toolkit deploy again"
        )
    return "\n".join([aligned(cells), *notes])
