"""Entries of tasks' logs, as either release line writes them."""

from __future__ import annotations

import json
from typing import Any

from toolkit.onhost.task_entries import entry, joined, merged, newest

PLAIN = """\
[2026-11-27T21:33:01.123+0000] {taskinstance.py:349} INFO - ::group::Pre task execution logs
[2026-11-27T21:33:02.000+0000] {tl.py:9} ERROR - Task failed
Traceback (most recent call last):
KeyError: 'x'
[2026-11-27T21:33:03.000+0000] {taskinstance.py:740} INFO - ::endgroup::
[2026-11-27T21:33:04.000+0000] {tl.py:9} INFO - done
""".splitlines(keepends=True)


def event(**fields: Any) -> str:
    return json.dumps({"timestamp": "2026-11-27T21:33:01Z", "level": "info", **fields}) + "\n"


def asked(**fields: Any) -> dict[str, Any]:
    return {"lines": 100, "grep": "", "follow": False, "after": 0, **fields}


def plain() -> Any:
    return (entry(line) for line in PLAIN)


def test_an_event_of_airflow_3_has_what_is_not_known_already() -> None:
    found = entry(event(event="read", rows=3, name="a b", task_id="t", logger="shop", lineno=7))
    assert found == {"time": "2026-11-27T21:33:01+00:00", "level": "info", "logger": "shop",
                     "text": "read name=a b rows=3"}  # fmt: skip
    assert entry(event(event="::endgroup::")) is None
    assert entry(event(event="::group::Pre Execute"))["text"] == "Pre Execute"


def test_an_exception_is_shown_as_python_does_the_cause_first() -> None:
    frame = {"filename": "/dags/shop.py", "lineno": 15, "name": "broken"}
    detail = [
        {"exc_type": "ValueError", "exc_value": "no price", "frames": [frame], "exc_notes": ["see 7"]},
        {"exc_type": "KeyError", "exc_value": "'x'", "frames": []},
    ]  # fmt: skip
    text = entry(event(event="failed", error_detail=detail))["text"]
    assert text.index("KeyError: 'x'") < text.index("ValueError: no price\nsee 7")
    assert '  File "/dags/shop.py", line 15, in broken\n' in text


def test_what_is_no_event_is_kept_as_it_is() -> None:
    for line in ('{"broken', "{}", "[1] no time", "  plain"):
        assert entry(line + "\n") == {"time": "", "level": "", "logger": "", "text": line}


def test_lines_of_airflow_2_that_go_on_belong_to_their_entry() -> None:
    found = newest(plain(), asked(lines=2))
    assert [one["text"] for one in found["entries"]] == [
        "Task failed\nTraceback (most recent call last):\nKeyError: 'x'",
        "done",
    ]
    assert (found["seen"], found["entries"][0]["logger"]) == (3, "tl.py:9")
    assert found["entries"][0]["time"] == "2026-11-27T21:33:02.000+00:00"
    assert list(joined([])) == []


def test_a_log_that_is_written_goes_on_after_what_is_known() -> None:
    begun = newest((entry(line) for line in PLAIN[:3]), asked(follow=True, lines=1))
    assert (begun["seen"], len(begun["entries"])) == (3, 1)
    more = newest(plain(), asked(follow=True, lines=1, after=begun["seen"]))
    assert [one["text"] for one in more["entries"]] == ["KeyError: 'x'", "done"]


def test_grep_is_for_either_case_unless_it_has_capitals() -> None:
    assert len(newest(plain(), asked(grep="task failed"))["entries"]) == 1
    assert len(newest(plain(), asked(grep="traceback"))["entries"]) == 1
    assert newest(plain(), asked(grep="TASK"))["entries"] == []


def test_files_of_one_try_are_merged_by_time() -> None:
    worker = [event(event="1"), "goes on\n", event(event="3", timestamp="2026-11-27T21:33:03Z")]
    trigger = [event(event="2", timestamp="2026-11-27T21:33:02Z")]
    assert [one["text"] for one in merged([worker, trigger])] == ["1", "goes on", "2", "3"]
