"""`toolkit verify`: the proof."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_FAILED

if TYPE_CHECKING:
    from toolkit.checks.proof import Proof
    from toolkit.cluster import Inventory


@click.command(
    epilog="""\b
Examples:
  toolkit verify -i inventory/prod
  toolkit verify -i inventory/prod --skip running.remote_logs --json
  toolkit verify --explain running.canary
\b
Exit status: 0 everything holds, but for warnings; 1 something does not; 2 the inventory is wrong,
or another run works on the cluster.
"""
)
@options.inventory
@options.become_password
@options.skip
@click.option("--json", "as_json", is_flag=True, help="Print the checks as JSON.")
@options.explain
def command(
    inventory: Inventory, become_password: str | None, skip: tuple[str, ...], as_json: bool
) -> int:
    """Prove that a running cluster works: units, health, workers, secrets, a canary DAG."""
    from toolkit.run.session import Options
    from toolkit.verbs.verify import run

    chosen = Options(options.command_line(), quiet=as_json, become_password=become_password)
    proofs = run(inventory, chosen, skip)
    click.echo(_json(proofs) if as_json else _text(proofs))
    return 0 if all(proof.passes for proof in proofs) else EXIT_FAILED


def _json(proofs: list[Proof]) -> str:
    from toolkit.checks.proof import failures

    found = failures(proofs)
    result = {
        "ok": all(proof.passes for proof in proofs),
        "checks": [asdict(proof) for proof in proofs],
        "findings": [finding.as_json() for finding in found],
    }
    return json.dumps(result, indent=2)


def _text(proofs: list[Proof]) -> str:
    lines = []
    for proof in proofs:
        where = " ".join(part for part in (proof.host, proof.component) if part)
        name = proof.name if proof.ok else f"{proof.name} [{proof.id}]"
        lines.append(f"{_word(proof):7} {where + ': ' if where else ''}{name}: {proof.detail}")
        if not proof.ok and proof.fix:
            lines.append(f"        fix: {proof.fix}")
    return "\n".join([*lines, f"{sum(p.ok for p in proofs)} of {len(proofs)} checks hold"])


def _word(proof: Proof) -> str:
    if proof.ok:
        return "ok"
    return "warning" if proof.passes else "FAILED"
