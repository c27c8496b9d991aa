"""Entries of a task's log: as Airflow 3 writes them, an object a line, and as Airflow 2 does, plain text."""

import heapq
import json
import re
from collections import deque

_PLAIN = re.compile(r"\[([^\]]+)\] \{([^}]*)\} ([A-Z]+) - (.*)", re.S)
"""[2026-11-27T21:33:01.123+0000] {taskinstance.py:1157} INFO - text"""
_ZONE = re.compile(r"([+-]\d\d):?(\d\d)$")
_GROUP, _END = "::group::", "::endgroup::"
_KNOWN = {
    "timestamp", "event", "level", "logger", "filename", "lineno", "error_detail", "exception",
    "ti_id", "dag_id", "task_id", "run_id", "map_index", "try_number", "chan",
}  # fmt: skip
"""Keys that are shown in another way, or say which task it is."""


def entry(line):
    """A line as {"time", "level", "logger", "text"}; None for what only marks the end of a group.

    `time` is ISO 8601, "" where there is none: in Airflow 2 such a line goes on with the one before.
    """
    line = line.rstrip("\r\n")
    try:
        found = json.loads(line) if line.startswith("{") else None
    except ValueError:
        found = None
    made = structured(found) if isinstance(found, dict) and "event" in found else plain(line)
    if made["text"].startswith(_END):
        return None
    if made["text"].startswith(_GROUP):
        made["text"] = made["text"][len(_GROUP) :]
    return made


def structured(found):
    """One of Airflow 3's events."""
    more = [
        "%s=%s" % (name, value if isinstance(value, str) else json.dumps(value))
        for name, value in sorted(found.items())
        if name not in _KNOWN
    ]
    text = " ".join([str(found["event"]), *more])
    for name in ("error_detail", "exception"):
        if found.get(name):
            text += "\n" + errors(found[name])
    return made(found.get("timestamp"), found.get("level"), found.get("logger"), text)


def errors(detail):
    """An exception with what caused it, as Python prints them: the cause first."""
    if not isinstance(detail, list):
        return str(detail)
    parts = []
    for one in detail:
        lines = ["Traceback (most recent call last):"]
        for frame in one.get("frames") or ():
            lines.append(
                '  File "%s", line %s, in %s'
                % (frame.get("filename"), frame.get("lineno"), frame.get("name"))
            )
        lines.append("%s: %s" % (one.get("exc_type"), one.get("exc_value")))
        lines += [str(note) for note in one.get("exc_notes") or ()]
        parts.append("\n".join(lines))
    return "\n\n".join(reversed(parts))


def plain(line):
    """One of Airflow 2's lines."""
    found = _PLAIN.match(line)
    if found is None:
        return made("", "", "", line)
    time, place, level, text = found.groups()
    return made(time, level, place, text)


def made(time, level, logger, text):
    """An entry; of a time zone as Python 3.6 and later read it."""
    return {
        "time": _ZONE.sub(r"\1:\2", str(time or "").replace("Z", "+00:00")),
        "level": str(level or "").lower(),
        "logger": str(logger or ""),
        "text": text,
    }


def matching(grep):
    """Whether an entry is wanted; in lower case alone a pattern fits either case, as in journalctl."""
    pattern = re.compile(grep, re.I if grep == grep.lower() else 0)
    return lambda one: pattern.search(one["text"]) is not None


def newest(entries, payload):
    """The newest entries that are wanted, and how many there are in all.

    `payload`: lines, how many; grep; follow, whether the log is still written; after, how many of all are
    known already (they come in one order).
    """
    wanted = matching(payload["grep"])
    kept = deque(maxlen=None if payload["after"] else payload["lines"])
    seen = 0
    real = (one for one in entries if one is not None)
    # The last entry of a log that is still written may get more lines, after it was shown.
    for one in real if payload["follow"] else joined(real):
        seen += 1
        if seen > payload["after"] and wanted(one):
            kept.append(one)
    return {"entries": list(kept), "seen": seen}


def joined(entries):
    """Entries with the lines that go on with them."""
    last = None
    for one in entries:
        if last is not None and not one["time"]:
            last["text"] += "\n" + one["text"]
            continue
        if last is not None:
            yield last
        last = one
    if last is not None:
        yield last


def merged(parts):
    """Entries of several files in the order of time; what has none stays behind the one before it."""
    return (one for _, one in heapq.merge(*map(_timed, parts), key=lambda pair: pair[0]))


def _timed(lines):
    time = ""
    for line in lines:
        one = entry(line)
        if one is not None:
            time = one["time"] or time
            yield time, one
