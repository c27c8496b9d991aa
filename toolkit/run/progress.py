"""What a person sees while a run lasts: live rows on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from toolkit.findings import Finding
from toolkit.run.playbook import Event

if TYPE_CHECKING:
    from rich.table import Table


class Display:
    """Progress on stderr, so that stdout holds only results."""

    def __init__(self, hosts: Iterable[str], *, quiet: bool = False) -> None:
        self.begun = time.monotonic()
        self.quiet = quiet
        self.live = sys.stderr.isatty() and not quiet
        self.rows: dict[str, dict[str, Any]] = {
            host: {"stage": "", "task": "", "since": self.begun, "changed": 0} for host in hosts
        }

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self.begun

    def say(self, text: str) -> None:
        """One line of progress, with the time since the start."""
        if not self.quiet:
            print(f"[{self.elapsed():6.1f}s] {text}", file=sys.stderr, flush=True)

    def event(self, event: Event) -> None:
        """Take in one event of the playbook."""
        row = self.rows.setdefault(
            event.host, {"stage": "", "task": "", "since": time.monotonic(), "changed": 0}
        )
        stage = " / ".join(part for part in (event.play, event.role) if part)
        if event.kind == "changed":
            row["changed"] += 1
        if event.kind == "start" and event.role and stage != row["stage"] and not self.live:
            self.say(f"{event.host}: {stage}")
        if event.kind == "start":
            row.update(stage=stage, task=event.task, since=time.monotonic())
        if event.kind in {"failed", "unreachable"}:
            row.update(task=f"{event.kind.upper()}: {event.task}")

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Redraw the rows twice a second while the block lasts, when stderr is a terminal."""
        if not self.live:
            yield
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(stderr=True)
        with Live(
            get_renderable=self._table, console=console, refresh_per_second=2, transient=True
        ):
            yield

    def _table(self) -> Table:
        from rich.table import Table

        table = Table(
            box=None, pad_edge=False, title=f"{self.elapsed():.0f} s", title_justify="left"
        )
        for heading in ("host", "stage", "task", "for", "changed"):
            table.add_column(heading, no_wrap=True)
        for host, row in self.rows.items():
            seconds = f"{time.monotonic() - row['since']:.0f} s"
            table.add_row(host, row["stage"], row["task"][:60], seconds, str(row["changed"]))
        return table


def findings_text(findings: Iterable[Finding]) -> str:
    """Findings as a table. Below what was found stand the reason and the fix, each whole on a line
    of its own, so that a command can be copied.
    """
    headings = ("SEVERITY", "HOST", "FINDING", "WHAT")
    rows = [headings]
    for finding in findings:
        rows.append((finding.severity.value, finding.host or "-", finding.id, finding.what))
        rows += [("", "", "", f"why: {finding.why}")] if finding.why else []
        rows += [("", "", "", f"fix: {finding.fix}")] if finding.fix else []
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]])
        for row in rows
    )
