"""A run's record."""

from __future__ import annotations

import json

import pytest

from toolkit.cli import main
from toolkit.cluster import Cluster
from toolkit.run import record
from toolkit.run.expected import expected_seconds


def test_a_record_whose_process_is_gone_was_killed(cluster: Cluster) -> None:
    run = record.Run.start(cluster.directory, "provision", "toolkit provision")
    path = run.directory / "summary.json"
    summary = json.loads(path.read_text())
    assert record.recorded(cluster.directory)[0]["result"] == "running"
    path.write_text(json.dumps(summary | {"pid": 2**22 + 1}))
    assert record.recorded(cluster.directory)[0]["result"] == "killed"


def test_one_broken_record_does_not_hide_the_others(cluster: Cluster) -> None:
    record.Run.start(cluster.directory, "provision", "toolkit provision")
    broken = record.Run.start(cluster.directory, "verify", "toolkit verify")
    (broken.directory / "summary.json").write_text('{"verb": ')
    assert [run["verb"] for run in record.recorded(cluster.directory)] == ["provision"]


def test_runs_of_one_millisecond_have_a_record_each(cluster: Cluster) -> None:
    runs = [record.Run.start(cluster.directory, "verify", "toolkit verify") for _ in range(40)]
    assert len({run.directory for run in runs}) == 40
    assert all(run.directory.stat().st_mode & 0o777 == 0o700 for run in runs)


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", "3", "{}", '{"verb": ', '{"started": "x"}', "\xff", "[" * 5000,
     '{"command": "c", "directory": "d", "pid": 1, "result": "succeeded", "seconds": 1, "started": 1e300, "stages": {}, "verb": "v"}',
     '{"command": "c", "directory": "d", "pid": 1, "result": "succeeded", "seconds": 1, "started": 1, "stages": [1], "verb": "v"}',
     '{"command": "c", "directory": "d", "pid": 1, "result": "succeeded", "seconds": 1, "started": 1, "stages": {"a": "x"}, "verb": "v"}'],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_record_of_another_form_is_named_and_left_out(
    cluster: Cluster, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    good = record.Run.start(cluster.directory, "provision", "toolkit provision")
    broken = (
        record.Run.start(cluster.directory, "verify", "toolkit verify").directory / "summary.json"
    )
    broken.write_bytes(content.encode("latin-1"))
    assert [run["directory"] for run in record.recorded()] == [str(good.directory)]
    assert record.unreadable(cluster.directory) == [broken]
    assert expected_seconds(cluster.directory, "provision")
    with pytest.raises(SystemExit) as ended:
        main(["runs", "--json", "-i", str(cluster.directory)])
    told = capsys.readouterr()
    assert ended.value.code == 0
    assert len(json.loads(told.out)) == 1
    assert str(broken) in told.err
