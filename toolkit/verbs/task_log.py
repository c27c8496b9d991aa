"""A task's log: from Airflow's API, or from the hosts' files where that cannot give it."""

from __future__ import annotations

import difflib
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from toolkit.checks import remote_logs
from toolkit.cluster import Cluster, Host
from toolkit.cluster.topology import airflow_option
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.task_log import (
    Asked,
    ByApi,
    Entry,
    InFiles,
    by_api,
    folder,
    in_files,
    refuse_wrong_pattern,
)
from toolkit.verbs.visit import api_login

PAUSE = 2.0
"""Seconds between two questions for a log that is followed."""
PATIENCE = 60
"""Seconds that a web server may be silent meanwhile: it may be restarted."""
_WAITING = (None, "", "scheduled", "queued")
"""States of a task whose newest try has a number already, and has not begun."""
_SHOWN = 8
"""How many of what there is a message names."""


def task_log(
    cluster: Cluster,
    remote: Remote,
    asked: Asked,
    show: Callable[[Entry], None],
    note: Callable[[str], None],
) -> None:
    """Show a task's log.

    Args:
        cluster: its hosts in play are those whose files are read.
        show: called with each entry.
        note: called with sentences about the log.

    Raises:
        ToolkitError: there is no such thing, or nobody has the log.
    """
    refuse_wrong_pattern(asked.grep)
    if not cluster.group("webserver"):
        raise ToolkitError(
            "no host is in group webserver, so there is no Airflow to ask",
            where=str(cluster.directory),
            fix=f"toolkit check -i {cluster.inventory}",
        )
    login = api_login(cluster)
    found = by_api(cluster, remote, login, asked)
    if found.unknown:
        raise unknown(asked, found, cluster)
    if found.error:
        note(f"the web server does not help ({found.error}): reading the hosts' files")
        _from_files(cluster, remote, asked, found, show, note)
        if asked.follow:
            raise ToolkitError(
                "a log is followed by way of the web server, which does not answer",
                fix=f"toolkit status -i {cluster.inventory}",
                exit_code=EXIT_FAILED,
            )
        return
    note(heading(asked, found))
    if asked.follow and not found.ended:
        _follow(cluster, remote, login, asked, found, show, note)
    elif not found.attempt or (found.state in _WAITING and not found.seen):
        raise not_begun(asked, found, cluster)
    elif not found.seen:
        exact = replace(asked, run=found.run, attempt=found.attempt, map_index=found.map_index)
        _from_files(cluster, remote, exact, found, show, note)
    else:
        _show(found.entries, show)


def _show(entries: Iterable[Entry], show: Callable[[Entry], None]) -> None:
    for entry in entries:
        show(entry)


def heading(asked: Asked, found: ByApi) -> str:
    """Which log it is."""
    index = f"[{found.map_index}]" if found.map_index >= 0 else ""
    which = f"try {found.attempt} of {found.tries}, " if found.attempt else ""
    ran = f" on {found.hostname}" if found.hostname else ""
    return f"{asked}{index}, run {found.run}, {which}{found.state or 'not scheduled'}{ran}"


# What there is not


def unknown(asked: Asked, found: ByApi, cluster: Cluster) -> ToolkitError:
    """The error for a DAG, run, task, instance or try that there is not, with those that there are."""
    there = [str(one) for one in found.there]
    what, listed = {
        "dag": (f"Airflow has no DAG {asked.dag}", f"use one of: {_few(asked.dag, there)}"),
        "run": (
            f"DAG {asked.dag} has no run {asked.run}",
            f"leave it out for the newest, or use one of: {_few(asked.run, there)}",
        ),
        "task": (
            f"DAG {asked.dag} has no task {asked.task}",
            f"use one of: {_few(asked.task, there)}",
        ),
        "begun": (
            f"no run of DAG {asked.dag} has task {asked.task} yet"
            if not asked.run
            else f"run {asked.run} has no task {asked.task}",
            f"toolkit airflow -i {cluster.inventory} -- dags trigger {asked.dag}"
            if not asked.run
            else "leave the run out for the newest that has it",
        ),
        "map_index": (
            f"{asked} has no instance {asked.map_index}"
            if asked.map_index not in (None, -1)  # -1: followed since before it was expanded
            else f"{asked} is a mapped task of several instances",
            f"--map-index with one of: {_few('', there)}"
            if there != ["-1"]
            else "leave out --map-index: the task is not mapped",
        ),
        "try": (
            f"{asked} has no try {asked.attempt}",
            f"--try with one of: {_few('', there)}"
            if there
            else "the task has not begun; -f waits",
        ),
    }[found.unknown]
    if found.unknown in ("dag", "run", "task") and not there:
        listed = f"toolkit airflow -i {cluster.inventory} -- dags list"
    return ToolkitError(what, where=cluster.name, fix=listed)


def _few(wanted: str, there: list[str]) -> str:
    """The names most like what was asked for, else the first ones."""
    near = difflib.get_close_matches(wanted, there, _SHOWN, 0.6) if wanted else []
    shown = near or there[:_SHOWN]
    more = len(there) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more and not near else "")


def not_begun(asked: Asked, found: ByApi, cluster: Cluster) -> ToolkitError:
    """The error for a task that has no log, as it never ran."""
    state = found.state or "not scheduled"
    fix = (
        f"name an earlier run: toolkit airflow -i {cluster.inventory} -- dags list-runs {asked.dag}"
        if found.ended
        else "the same command with -f waits for it"
    )
    return ToolkitError(
        f"{asked} has no log in run {found.run}, as it has not run: {state}",
        where=cluster.name,
        fix=fix,
        exit_code=EXIT_FAILED,
    )


# As it comes


def _follow(
    cluster: Cluster,
    remote: Remote,
    login: Mapping[str, Any],
    asked: Asked,
    found: ByApi,
    show: Callable[[Entry], None],
    note: Callable[[str], None],
) -> None:
    """Go on until the try has ended, and once more: the last lines may come after its state."""
    answered = time.monotonic()
    asked = replace(asked, run=found.run, attempt=found.attempt, map_index=found.map_index)
    last = False
    while True:
        if not found.error:
            answered = time.monotonic()
            _show(found.entries, show)
            asked = replace(asked, after=max(asked.after, found.seen), attempt=found.attempt)
            if last:
                break
            last = found.ended
        if time.monotonic() - answered > PATIENCE:
            raise ToolkitError(
                f"the web server does not answer any more: {found.error}",
                fix=f"toolkit status -i {cluster.inventory}",
                exit_code=EXIT_FAILED,
            )
        time.sleep(PAUSE)
        found = by_api(cluster, remote, login, asked)
        if found.unknown:
            raise unknown(asked, found, cluster)
    if not found.attempt:
        raise not_begun(asked, found, cluster)
    if not found.seen:
        _from_files(cluster, remote, asked, found, show, note)
    note(heading(asked, found))


# From files


def _from_files(
    cluster: Cluster,
    remote: Remote,
    asked: Asked,
    said: ByApi,
    show: Callable[[Entry], None],
    note: Callable[[str], None],
) -> None:
    """Show the newest of the files that the hosts have.

    Args:
        said: what Airflow's API has said.

    Raises:
        ToolkitError: no host has one.
    """
    there, problems = in_files(cluster, remote, asked)
    having = {name: one for name, one in there.items() if one.path}
    if not having:
        raise missing(cluster, asked, said, there, problems)
    name, newest = max(
        having.items(), key=lambda pair: (pair[1].attempt if asked.run else 0, pair[1].changed)
    )
    indexes = {
        index for one in having.values() if one.run == newest.run for index in one.map_indexes
    }
    if asked.map_index is None and indexes != {-1}:
        answer = ByApi(unknown="map_index", there=tuple(sorted(indexes)))
        raise unknown(asked, answer, cluster)
    if said.error:
        note(f"{asked}, run {newest.run}, try {newest.attempt}")
    note(f"from {name}: {newest.path}")
    for problem in problems:
        note(f"not asked: {problem.host}: {problem.what}")
    _show(newest.entries, show)


def missing(
    cluster: Cluster,
    asked: Asked,
    said: ByApi,
    there: Mapping[str, InFiles],
    problems: list[HostProblem],
) -> ToolkitError:
    """The error for a log that nobody has: which host had it, and what to do."""
    which = f"try {said.attempt} of {asked} in run {said.run}" if said.run else str(asked)
    owner = _owner(cluster, said.hostname, there)
    if not said.hostname:
        what, fix = _of_nobody(cluster, which, problems)
    elif owner is None:
        what, fix = _of_stranger(cluster, asked, said, problems)
        what = f"{which} ran on {said.hostname}, {what}"
    else:
        gone = next((one for one in problems if one.host == owner.name), None)
        what, fix = _of_host(cluster, asked, said, owner, gone, owner.name in there)
        what = f"{which} ran on {owner.name}, {what}"
    return ToolkitError(what, where=cluster.name, fix=fix, exit_code=EXIT_FAILED)


def _of_nobody(cluster: Cluster, which: str, problems: list[HostProblem]) -> tuple[str, str]:
    """What, and what to do, where nobody knows who ran it."""
    silent = "".join(f"; {one.host} cannot be reached: {one.what}" for one in problems)
    fix = problems[0].fix if problems and problems[0].fix else ""
    return (
        f"no host that answers has a log of {which}{silent}",
        fix or f"toolkit status -i {cluster.inventory}",
    )


def _of_stranger(
    cluster: Cluster, asked: Asked, said: ByApi, problems: list[HostProblem]
) -> tuple[str, str]:
    """The same where it ran on a host that none of those that answer is."""
    if not problems:
        return (
            f"which is no host of {cluster.name}",
            f"on that host, if it is still there: sudo cat {_place(cluster, asked, said)}",
        )
    silent = "; ".join(f"{one.host}: {one.what}" for one in problems)
    return f"which is none of the hosts that answer; not reached: {silent}", problems[0].fix or ""


def _of_host(
    cluster: Cluster,
    asked: Asked,
    said: ByApi,
    owner: Host,
    gone: HostProblem | None,
    asked_it: bool,
) -> tuple[str, str]:
    """The same where the host is known.

    Args:
        gone: why it cannot be reached.
        asked_it: whether it was in play.
    """
    place = _place(cluster, asked, said, owner)
    template = airflow_option(cluster, owner, "logging", "log_filename_template")
    if gone:
        return f"which cannot be reached: {gone.what}", f"{gone.fix}; then the same command again"
    if not asked_it:
        return "which --limit leaves out", "the same command without --limit"
    if template:
        return (
            f"where logging.log_filename_template names files: {template}",
            f"toolkit ssh -i {cluster.inventory} {owner.name} -b",
        )
    if remote_logs.folder(cluster):
        return (
            f"where {place} is empty or gone, and the web server finds nothing in {remote_logs.folder(cluster)}",
            f"see whether uploads work: toolkit verify -i {cluster.inventory}",
        )
    return (
        f"where {place} is empty or gone",
        "files go after airflow_log_retention_days; airflow_remote_log_folder keeps logs in S3",
    )


def _owner(cluster: Cluster, hostname: str, there: Mapping[str, InFiles]) -> Host | None:
    """The host that Airflow calls so: by what hosts call themselves, else by the inventory."""
    if not hostname:
        return None
    for name, one in there.items():
        if hostname in one.names:
            return cluster.host(name)
    short = hostname.partition(".")[0]
    for host in cluster.all_hosts:
        if host.name in (hostname, short) or hostname in (host.address, host.base_address):
            return host
    return None


def _place(cluster: Cluster, asked: Asked, said: ByApi, host: Host | None = None) -> str:
    """The file that Airflow writes, on a host of the cluster or on one that was."""
    index = f"map_index={said.map_index}/" if said.map_index >= 0 else ""
    return (
        f"{folder(cluster, host or cluster.web)}/dag_id={asked.dag}/run_id={said.run}/task_id={asked.task}/"
        f"{index}attempt={said.attempt}.log"
    )
