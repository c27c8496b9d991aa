"""The journals of hosts: which command reads them, and what its lines say."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import engines
from toolkit.cluster.topology import airflow_components, servers
from toolkit.errors import ToolkitError

AUDIT = "airflow-toolkit"
"""What the audit lines of runs are tagged with (toolkit/onhost/lease.py)."""
_FIELDS = "MESSAGE,UNIT,_SYSTEMD_UNIT,SYSLOG_IDENTIFIER,PRIORITY"
_SHORT = re.compile(r"(\d+)\s*(s|m|min|h|d|w)")


@dataclass(frozen=True)
class Line:
    """An entry of a host's journal.

    Attributes:
        time: seconds since the epoch.
        host: inventory name.
        unit: the unit without its ending, or what the entry is tagged with.
        text: may have several lines.
        priority: of syslog(3), 0 to 7.
    """

    time: float
    host: str
    unit: str
    text: str
    priority: int = 6

    def as_json(self) -> dict[str, Any]:
        """It as plain JSON data."""
        return {
            "time": self.time,
            "host": self.host,
            "unit": self.unit,
            "text": self.text,
            "priority": self.priority,
        }


@dataclass(frozen=True)
class Wanted:
    """Which entries.

    Attributes:
        follow: those that are to come as well.
        since: as journalctl understands it, or 10m, 2h, 3d; "" for all.
        grep: a regular expression that a message has to match; "" for all.
        lines: of the newest so many.
        audit: the audit lines in place of units.
    """

    follow: bool = False
    since: str = ""
    grep: str = ""
    lines: int = 100
    audit: bool = False


def since_words(text: str) -> str:
    """A time as journalctl understands it: "10m" is ten minutes ago."""
    short = _SHORT.fullmatch(text.strip())
    return f"-{short[1]}{short[2]}" if short else text


def patterns(component: str) -> list[str]:
    """The units of a component of Airflow or of a server, as patterns of fnmatch(3)."""
    if component not in engines():
        return [f"airflow-{component}.service"]
    return sorted({unit for one in engines()[component].platforms.values() for unit in one.units})


def units(cluster: Cluster, host: Host, wanted: Iterable[str] = ()) -> list[str]:
    """The units of a host's components and servers, as patterns for journalctl; of those wanted, where any are."""
    chosen = set(wanted)
    there = (*airflow_components(cluster, host), *servers(cluster, host))
    return [unit for name in there if not chosen or name in chosen for unit in patterns(name)]


def refuse_unknown(cluster: Cluster, hosts: Iterable[Host], wanted: Iterable[str]) -> None:
    """Components that none of these hosts has.

    Raises:
        ToolkitError: there is one.
    """
    there = {
        name
        for host in hosts
        for name in (*airflow_components(cluster, host), *servers(cluster, host))
    }
    for name in wanted:
        if name not in there:
            raise ToolkitError(
                f"no host in play runs {name}",
                where=cluster.name,
                fix=f"use one of: {', '.join(sorted(there))}",
            )


def command(units: Iterable[str], wanted: Wanted) -> str:
    """The line that reads a host's journal; those that are there come newest first, unless it is followed.

    From --since on journalctl would count the oldest lines (252), and one that is followed has no other way.
    """
    words = ["journalctl", "--no-pager", "--quiet", "--output=json", f"--output-fields={_FIELDS}"]
    words += [f"--identifier={AUDIT}"] if wanted.audit else [f"--unit={unit}" for unit in units]
    words += [f"--since={since_words(wanted.since)}"] if wanted.since else []
    words += [f"--grep={wanted.grep}"] if wanted.grep else []
    words += [] if wanted.follow and wanted.since else [f"--lines={wanted.lines}"]
    words += ["--follow" if wanted.follow else "--reverse"]
    return shlex.join(words)


def parsed(host: str, text: str) -> Line | None:
    """A line of its output; None for what is no entry."""
    try:
        entry = json.loads(text)
        message = entry.get("MESSAGE")
        # What is no UTF-8 comes as numbers, and what is too long as null.
        if isinstance(message, list):
            message = bytes(message).decode(errors="replace")
        unit = (
            entry.get("UNIT") or entry.get("_SYSTEMD_UNIT") or entry.get("SYSLOG_IDENTIFIER") or ""
        )
        if entry.get("SYSLOG_IDENTIFIER") == AUDIT:
            unit = AUDIT
        return Line(
            int(entry["__REALTIME_TIMESTAMP"]) / 1e6,
            host,
            unit.removesuffix(".service").removeprefix("airflow-") if unit != AUDIT else AUDIT,
            "" if message is None else str(message),
            int(entry.get("PRIORITY") or 6),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def newest(lines: Iterable[Line], count: int) -> Iterator[Line]:
    """The newest lines of all hosts, the oldest of them first."""
    yield from sorted(lines, key=lambda line: line.time)[-count:]
