"""`toolkit settings`: the reference."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from toolkit.errors import ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster.specs import Setting


@click.command(
    epilog="""\b
Examples:
  toolkit settings
  toolkit settings airflow_parallelism
  toolkit settings --role postgres --json
"""
)
@click.argument("name", required=False)
@click.option("--role", help="Only this role's settings.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON.")
def command(name: str | None, role: str | None, as_json: bool) -> None:
    """Show what can be set in the inventory: type, default, choices, and what it does."""
    from toolkit.cluster.specs import load_specs, nearest, roles

    specs = load_specs()
    if role and role not in roles():
        raise ToolkitError(f"there is no role {role}", fix="use one of: " + ", ".join(roles()))
    if name and name not in specs:
        near = nearest(name)
        guess = f"; did you mean {near}?" if near else ""
        raise ToolkitError(f"there is no setting {name}{guess}", fix="toolkit settings")
    if name and role and specs[name].role != role:
        raise ToolkitError(
            f"{name} is a setting of role {specs[name].role}, not of {role}",
            fix=f"toolkit settings {name}",
        )
    chosen = [
        spec for spec in specs.values() if name in (None, spec.name) and role in (None, spec.role)
    ]
    if as_json:
        click.echo(json.dumps([asdict(spec) for spec in chosen], indent=2))
    elif name:
        click.echo(_whole(chosen[0]))
    else:
        for spec in chosen:
            click.echo(
                f"{spec.name}  ({_type(spec)}, default {spec.default!r})\n    {spec.summary}"
            )


def _type(spec: Setting) -> str:
    return f"{spec.type} of {spec.elements}" if spec.elements else spec.type


def _whole(spec: Setting) -> str:
    lines = [f"{spec.name} (role {spec.role})", f"  type:    {_type(spec)}",
             f"  default: {spec.default!r}"]  # fmt: skip
    lines += [f"  choices: {', '.join(map(str, spec.choices))}"] if spec.choices else []
    lines += ["  secret:  yes, keep it in vault.yml"] if spec.secret else []
    lines += [f"  {sentence}" for sentence in spec.description]
    lines += [f"  {key}: {_type(option)}; {option.summary}" for key, option in spec.options.items()]
    return "\n".join(lines)
