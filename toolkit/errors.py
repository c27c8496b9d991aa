"""The errors a user sees: what is wrong, where, and the command that fixes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

EXIT_FAILED = 1
"""The work was started and did not end well (a task, a check of a running cluster, a unit)."""
EXIT_REFUSED = 2
"""Nothing was changed: bad input, a finding of severity error, an unreachable host."""
EXIT_DECLINED = 3
"""A question was answered with no, or not at all; nothing was changed."""
EXIT_INTERRUPTED = 130


@dataclass(frozen=True)
class Location:
    """A place in a file that the user edits; `line` counts from 1, 0 when the whole file is meant."""

    path: Path
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else str(self.path)


class ToolkitError(Exception):
    """A problem in the user's words; the CLI prints it and never a traceback.

    Args:
        what: one sentence, what is wrong and with which value.
        where: the file and line, or the host, it is wrong at.
        fix: the command to type or the edit to make.
        exit_code: the exit status of the process.
        id: the finding that `toolkit check --explain` explains; None where there is none.
    """

    def __init__(
        self,
        what: str,
        *,
        where: Location | str | None = None,
        fix: str | None = None,
        exit_code: int = EXIT_REFUSED,
        id: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.fix = fix
        self.exit_code = exit_code
        self.id = id

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        fix = f"\n  fix: {self.fix}" if self.fix else ""
        return f"{place}{self.what}{fix}"


class DeclinedError(ToolkitError):
    """A person did not agree to what was asked."""

    def __init__(self, what: str = "declined: nothing was changed") -> None:
        super().__init__(what, exit_code=EXIT_DECLINED)


class NoHostsError(ToolkitError):
    """An inventory directory names no host; a provider may know why."""

    def __init__(self, directory: Path, unread: Path | None = None) -> None:
        super().__init__(
            "Ansible cannot read it, and no other file of the inventory names a host"
            if unread
            else "the inventory names no host",
            where=str(unread or directory / "hosts.yml"),
            fix="add one below a group, for example scheduler: {hosts: {h1: {ansible_host: "
            "203.0.113.7, ansible_user: ubuntu}}}",
        )
        self.directory = directory
