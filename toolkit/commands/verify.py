"""`toolkit verify`: the proof."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED


@click.command(
    epilog="""\b
Examples:
  toolkit verify -i inventory/prod
  toolkit verify -i inventory/prod --json
\b
Exit status: 0 everything holds; 1 something does not.
"""
)
@options.inventory
@options.become_password
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
def command(inventory: Path, become_password: str | None, as_json: bool) -> int:
    """Prove that a running cluster works: units, health, workers, secrets, a canary DAG."""
    from toolkit.run.session import Options
    from toolkit.verbs.verify import run

    chosen = Options(options.command_line(), quiet=as_json, become_password=become_password)
    checks = run(inventory, chosen)
    ok = all(check.ok for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": ok, "checks": [asdict(c) for c in checks]}, indent=2))
        return 0 if ok else EXIT_FAILED
    for check in checks:
        where = " ".join(part for part in (check.host, check.component) if part)
        click.echo(f"{'ok' if check.ok else 'FAILED':6}  {where}: {check.name}: {check.detail}")
        if not check.ok and check.fix:
            click.echo(f"        fix: {check.fix}")
    click.echo(f"{sum(c.ok for c in checks)} of {len(checks)} checks hold")
    return 0 if ok else EXIT_FAILED
