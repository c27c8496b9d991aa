"""`toolkit health`: how a running cluster is, in one line, and what is wrong with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from toolkit import findings
from toolkit.commands import options
from toolkit.commands.watching import interval_option, watched
from toolkit.errors import EXIT_REFUSED

if TYPE_CHECKING:
    from toolkit.checks.report import Line, Report
    from toolkit.cluster import Inventory
    from toolkit.hosts.mutes import Mute
    from toolkit.verbs.health import Health

_LENGTHS = {"detail": (1, 1), "mute": (2, 3), "unmute": (2, 2)}
"""What may be asked for -> how many words that is, at least and at most."""


@click.command(
    epilog="""\b
Examples:
  toolkit health -i inventory/prod
  toolkit health detail -i inventory/prod                 with reasons, fixes and what is muted
  toolkit health -i inventory/prod --watch
  toolkit health mute health.disk 4h -i inventory/prod
  toolkit health unmute health.disk -i inventory/prod
  toolkit health --explain health.disk
\b
No DAG is run; `toolkit verify` does that. A mute ends with its time, when what it muted is gone
(unless --sticky), and when that gets worse.
\b
Exit status: 0 HEALTH_OK; 1 HEALTH_WARN; 2 HEALTH_ERR, a host cannot be reached, or the command is
wrong; 130 after Ctrl-C. Of mute and unmute: 0 done.
"""
)
@click.argument("words", nargs=-1, metavar="[detail | mute CODE [TIME] | unmute CODE]")
@options.inventory
@options.limit
@interval_option
@click.option(
    "--sticky", is_flag=True, help="With mute: also when the finding is gone for a while."
)
@options.become_password
@options.as_json
@options.explain
def command(
    words: tuple[str, ...],
    inventory: Inventory,
    limit: str | None,
    watch: bool,
    interval: float,
    sticky: bool,
    become_password: str | None,
    as_json: bool,
) -> int:
    """Show in one line how a running cluster is, and what is wrong with it."""
    action = _action(words)
    if sticky and action != "mute":
        raise click.UsageError("--sticky goes with mute alone.")
    if watch and action not in ("", "detail"):
        raise click.UsageError(f"--watch does not go with {action}.")
    if limit and action in ("mute", "unmute"):
        raise click.UsageError("a mute is of the whole cluster, so it does not go with --limit.")
    code, time = [*words[1:], "", ""][:2]
    if code:
        findings.explain(code)  # a typo would mute nothing, and nobody would know
    from toolkit.durations import seconds_of
    from toolkit.verbs.health import asking

    seconds = seconds_of(time) if time else None
    if seconds == 0:
        raise click.UsageError("a mute of no time would end at once.")
    with _known(), asking(inventory, limit, become_password, options.command_line()) as health:
        if action == "mute":
            return _show_mute(health.mute(code, seconds, sticky=sticky), as_json)
        if action == "unmute":
            return _show_unmuted(code, health.unmute(code), as_json)

        detail = action == "detail"
        if watch:
            return watched(lambda: _look(health.report(), as_json=as_json, detail=detail), interval)
        return _show(health, as_json=as_json, detail=detail)


@contextmanager
def _known() -> Iterator[None]:
    """Nobody knows how the cluster is when an error ends the question, and 1 would say HEALTH_WARN."""
    try:
        yield
    except Exception as error:
        error.__dict__["exit_code"] = EXIT_REFUSED
        raise


def _look(report: Report, *, as_json: bool, detail: bool) -> tuple[str, object]:
    """What --watch shows, and what of it counts as a change: sentences have figures in them that always do."""
    shown = json.dumps(report.as_json()) if as_json else text(report, detail=detail)
    return shown, sorted((one.code, one.host, one.rank, bool(one.mute)) for one in report.lines)


def _action(words: tuple[str, ...]) -> str:
    """What is asked for; "" for the findings alone."""
    if not words:
        return ""
    least, most = _LENGTHS.get(words[0], (0, 0))
    if not least <= len(words) <= most:
        raise click.UsageError("after health comes: detail, mute CODE [TIME], or unmute CODE.")
    return words[0]


def _show(health: Health, *, as_json: bool, detail: bool) -> int:
    report = health.report()
    click.echo(json.dumps(report.as_json(), indent=2) if as_json else text(report, detail=detail))
    if report.counted and not detail and not as_json:
        click.echo(f"next: toolkit health detail -i {health.cluster.inventory}", err=True)
    return report.status


def text(report: Report, *, detail: bool) -> str:
    """The report for people: a line what is wrong with each host, and with `detail` what corrects it."""
    lines = [report.headline]
    shown = list(report.lines) if detail else report.counted
    widths = [max((len(cell) for cell in column), default=0)
              for column in ([line.code for line in shown], [line.host or "-" for line in shown])]  # fmt: skip
    for line in shown:
        place = f"{line.code:{widths[0]}}  {line.host or '-':{widths[1]}}  "
        lines += _in_detail(line, place) if detail else [f"{place}{line.what}"]
    lines += [f"mute of {one.mute.code} has ended: {one.why}" for one in report.ended]
    if detail:
        there = {line.code for line in report.lines}
        lines += [f"{one.code} is {said(one)}" for one in report.mutes if one.code not in there]
    return "\n".join(lines)


def _in_detail(line: Line, place: str) -> list[str]:
    """Every finding of a line, whole, with reason and fix."""
    lines = []
    for finding in line.findings:
        lines.append(f"{place}{finding.severity.value}: {finding.what}")
        lines += [f"  why: {finding.why}"] if finding.why else []
        lines += [f"  fix: {finding.fix}"] if finding.fix else []
    return [*lines, f"  {said(line.mute)}"] if line.mute else lines


def said(mute: Mute) -> str:
    """Who muted something, and until when."""
    kept = "for good" if mute.sticky else "until it is gone"
    until = (
        kept if mute.until is None else f"until {_moment(mute.until)}" + ", sticky" * mute.sticky
    )
    return f"muted by {mute.by or '?'} on {_moment(mute.since)}, {until}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _show_mute(mute: Mute, as_json: bool) -> int:
    click.echo(json.dumps(vars(mute), indent=2) if as_json else f"{mute.code} is {said(mute)}")
    return 0


def _show_unmuted(code: str, was: bool, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps({"code": code, "was_muted": was}, indent=2))
    else:
        click.echo(f"{code} counts again" if was else f"{code} was not muted")
    return 0
