"""The options about findings are the same wherever a command has them."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from toolkit.checks.proof import Proof
from toolkit.cli import main
from toolkit.commands import check, verify
from toolkit.findings import Severity

COMMANDS = [check.command, verify.command]
PROOFS = [
    Proof("running.unit", "h1", "scheduler", "unit", True, "active", "journalctl"),
    Proof("running.clock", "h2", "", "clock", False, "9.0 s off", "timedatectl set-ntp true"),
]


def run(command: click.Command, *arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, standalone_mode=False)


@pytest.mark.parametrize("id", ["running.unit", "access.auth", "ec2.credentials", "settings.type"])
@pytest.mark.parametrize("command", COMMANDS)
def test_explain_knows_findings_of_all_rooms_and_needs_no_inventory(
    command: click.Command, id: str
) -> None:
    done = run(command, "--explain", id)
    assert done.exit_code == 0
    assert done.output.startswith(id)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_typo_after_skip_is_an_error_that_names_the_nearest(command: click.Command) -> None:
    done = run(command, "-i", "inventory/single", "--skip", "running.clocks")
    assert "did you mean running.clock?" in str(done.exception)


def test_verify_prints_the_id_of_what_does_not_hold() -> None:
    assert verify._text(PROOFS).splitlines() == [
        "ok      h1 scheduler: unit: active",
        "FAILED  h2: clock [running.clock]: 9.0 s off",
        "        fix: timedatectl set-ntp true",
        "1 of 2 checks hold",
    ]


def test_verify_as_json_has_every_check_and_what_is_wrong() -> None:
    found = json.loads(verify._json(PROOFS))
    assert found["ok"] is False
    assert [list(one) for one in found["checks"]] == [
        ["id", "host", "component", "name", "ok", "detail", "fix", "severity"]
    ] * 2
    assert [one["id"] for one in found["findings"]] == ["running.clock"]


def test_a_warning_of_verify_is_printed_and_the_cluster_works() -> None:
    warned = Proof("running.import_error", "", "", "DAGs", False, "a.py:3 fails", "x", Severity.WARNING)  # fmt: skip
    assert warned.passes
    assert verify._text([warned]).splitlines() == [
        "warning DAGs [running.import_error]: a.py:3 fails",
        "        fix: x",
        "0 of 1 checks hold",
    ]
    found = json.loads(verify._json([warned]))
    assert found["ok"] is True
    assert found["checks"][0]["severity"] == "warning"
    assert [one["severity"] for one in found["findings"]] == ["warning"]


def test_an_error_as_json_has_the_id_that_explain_takes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["ec2", "plan", "-i", str(tmp_path), "--json"])
    assert json.loads(capsys.readouterr().out)["error"]["id"] == "ec2.no_file"
