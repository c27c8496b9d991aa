"""`toolkit check`: finds what would stop or harm a provision, before anything changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED, EXIT_REFUSED

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.findings import Finding


@click.command(
    epilog="""\b
Examples:
  toolkit check -i inventory/prod
  toolkit check -i inventory/prod worker --strict      these hosts, as with --limit
  toolkit check -i inventory/prod --skip capacity.memory --json
  toolkit check -i inventory/prod --fix
  toolkit check --explain capacity.memory
\b
Exit status: 0 no errors; 1 warnings, with --strict; 2 errors, or the inventory cannot be read.
"""
)
@click.argument("hosts", nargs=-1, metavar="[HOST]...")
@options.inventory
@options.limit
@options.become_password
@options.skip
@click.option("--strict", is_flag=True, help="Warnings count as well (exit status 1).")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--fix", is_flag=True, help="Offer to run the safe remedies; shows and asks each.")
@click.option("-y", "--yes", is_flag=True, help="With --fix: do not ask.")
@options.explain
def command(
    hosts: tuple[str, ...],
    inventory: Inventory,
    limit: str | None,
    become_password: str | None,
    skip: tuple[str, ...],
    strict: bool,
    as_json: bool,
    fix: bool,
    yes: bool,
) -> int:
    """Check inventory and hosts as `provision` does before it starts; changes nothing without --fix."""
    if fix and as_json:
        raise click.UsageError("--fix asks questions, so it does not go with --json.")
    from toolkit.verbs.check import findings

    named = ",".join(filter(None, [*hosts, limit])) or None
    found = [f for f in findings(inventory, named, become_password) if f.id not in skip]
    if fix and _mend(inventory, found, become_password, yes):
        found = [f for f in findings(inventory, named, become_password) if f.id not in skip]
    return _tell(
        found, inventory, strict, as_json, "checked again" if fix else "nothing was changed"
    )


def _tell(
    found: list[Finding], inventory: Inventory, strict: bool, as_json: bool, ending: str
) -> int:
    """Print the findings; returns the exit status."""
    from toolkit.findings import Severity, errors, findings_text

    wrong = errors(found)
    warnings = [finding for finding in found if finding.severity is Severity.WARNING]
    if as_json:
        listed = [finding.as_json() for finding in found]
        click.echo(json.dumps({"ok": not wrong, "findings": listed}, indent=2))
    else:
        if found:
            click.echo(findings_text(found))
        click.echo(f"{len(wrong)} error(s), {len(warnings)} warning(s); {ending}")
        if not wrong:
            click.echo(f"next: toolkit provision -i {inventory}", err=True)
    if wrong:
        return EXIT_REFUSED
    return EXIT_FAILED if strict and warnings else 0


def _mend(inventory: Inventory, found: list[Finding], password: str | None, yes: bool) -> bool:
    """Offer the remedies there are, each with its command; returns whether any was run."""
    from toolkit.run.session import Options
    from toolkit.verbs.check import mend

    if not any(finding.remedy for finding in found):
        click.echo("nothing here can be mended without a decision of yours", err=True)
        return False

    def wanted(finding: Finding) -> bool:
        where = f"{finding.host}: {finding.what} [{finding.id}]"
        click.echo(f"{where}\n  # {finding.remedy}", err=True)
        return yes or options.confirm("  run it?", default=False)

    chosen = Options(options.command_line(), quiet=True, become_password=password)
    return mend(inventory, found, chosen, wanted, lambda text: click.echo(f"  {text}", err=True))
