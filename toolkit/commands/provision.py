"""`toolkit provision`: the main job."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.commands import options
from toolkit.errors import EXIT_INTERRUPTED, EXIT_REFUSED, DeclinedError, ToolkitError

if TYPE_CHECKING:
    from toolkit.cluster import Inventory
    from toolkit.verbs.provision import Result

INVENTORIES = Path("inventory")


@click.command(
    epilog="""\b
Examples:
  toolkit provision --lab                          a host on this machine, to try things on
  toolkit provision ubuntu@203.0.113.7             writes inventory/203.0.113.7 and continues
  toolkit provision -i inventory/prod
  toolkit provision -i inventory/prod --check      what would change, changing nothing
  toolkit provision -i inventory/prod --limit worker
  toolkit provision -i inventory/prod --allow-upgrade   after a change of airflow_version
\b
Exit status: 0 Airflow runs and has run a DAG; 1 something failed on the way;
2 refused, nothing was changed; 3 declined; 130 interrupted (run it again to continue).
"""
)
@click.argument("targets", nargs=-1, metavar="[USER@HOST]...")
@options.named_sources
@options.vaults
@click.option("--lab", "use_lab", is_flag=True, help="Make a lab host on this machine first.")
@options.limit
@click.option("-C", "--check", is_flag=True, help="Show what would change and change nothing.")
@options.become_password
@options.yes
@options.as_json
@options.verbose
@click.option("--print-command", is_flag=True,
              help="Print the ansible-playbook command that does the same, and stop.")  # fmt: skip
@click.option("--no-verify", is_flag=True, help="Leave out the proof at the end.")
@click.option("--allow-upgrade", is_flag=True,
              help="Change to another airflow_version: imports the DAGs, dumps the database, migrates it.")  # fmt: skip
@click.option(
    "--dumped", is_flag=True, help="With --allow-upgrade: there is a dump of the database already."
)
def command(
    targets: tuple[str, ...],
    inventory: tuple[str, ...],
    use_lab: bool,
    limit: str | None,
    check: bool,
    become_password: str | None,
    yes: bool,
    as_json: bool,
    verbose: bool,
    print_command: bool,
    no_verify: bool,
    allow_upgrade: bool,
    dumped: bool,
) -> int:
    """Turn bare hosts into an Airflow that has just run a DAG."""
    _confirm(targets, use_lab, yes)
    chosen_inventory, wrote = _inventory(targets, inventory, use_lab)
    from toolkit.cluster import Cluster
    from toolkit.run.playbook import playbook_command
    from toolkit.run.session import Options
    from toolkit.verbs.provision import provision

    asked = {"airflow_allow_upgrade": allow_upgrade, "airflow_dumped": dumped}
    variables = {name: True for name, given in asked.items() if given}
    if print_command:
        cluster = Cluster.load(chosen_inventory).limited(limit)
        words = playbook_command(cluster, "provision", check=check)
        typed = shlex.join([*words, *(["-e", json.dumps(variables)] if variables else [])])
        click.echo(json.dumps({"ok": True, "command": typed}) if as_json else typed)
        return 0
    chosen = Options(
        command=options.command_line(),
        quiet=as_json,
        verbose=verbose,
        dry=check,
        become_password=become_password,
    )
    again = f"toolkit provision -i {chosen_inventory}" + " --allow-upgrade" * allow_upgrade
    result = provision(
        chosen_inventory, chosen, limit=limit, prove=not no_verify, variables=variables
    )
    if result.exit_code == EXIT_REFUSED:
        result.wrote[:0] = wrote
    click.echo(result.as_json() if as_json else _summary(result, chosen_inventory, check, again))
    return result.exit_code


def _confirm(targets: tuple[str, ...], use_lab: bool, yes: bool) -> None:
    """Ask before installing on hosts that were typed for the first time, when a person is there."""
    new = targets and not use_lab and options.is_asked() and not yes
    if new and not options.confirm(f"Install Airflow on {', '.join(targets)}?", default=True):
        raise DeclinedError


def _inventory(
    targets: tuple[str, ...], given: tuple[str, ...], use_lab: bool
) -> tuple[Inventory, list[str]]:
    """The inventory to work on, written first where it does not exist; and what was written."""
    if not (use_lab or targets):
        if not given:
            raise ToolkitError(
                "which hosts? Give USER@HOST, an inventory directory with -i, or --lab",
                fix="toolkit provision --lab",
            )
        return options.sources(given), []
    if len(given) > 1 or (given and not Path(given[0]).is_dir() and Path(given[0]).exists()):
        raise ToolkitError(
            "hosts that are named here get an inventory directory of their own",
            where=f"-i {' -i '.join(given)}",
            fix="name a new directory behind -i, or write the hosts into your inventory",
        )
    directory, is_new = _written(targets, Path(given[0]) if given else None, use_lab)
    return options.sources((str(directory),)), [str(directory)] * is_new


def _written(targets: tuple[str, ...], given: Path | None, use_lab: bool) -> tuple[Path, bool]:
    """The directory of hosts that are named here, and whether it was made for them."""
    if use_lab:
        from toolkit.providers import lab

        directory = given or INVENTORIES / "lab"
        lab.up(directory.name, 1, "debian12", directory, lambda text: click.echo(text, err=True))
        return directory, False
    from toolkit.cluster import hosts_file as inventory
    from toolkit.verbs.init import create

    first = str(inventory.parse_target(targets[0])["ansible_host"])
    directory = given or INVENTORIES / re.sub(r"[^\w.-]", "-", first)
    if (directory / "hosts.yml").exists():
        return _known(directory, targets), False
    create(directory, groups=inventory.spread(targets))
    click.echo(f"wrote {directory}; next time: toolkit provision -i {directory}", err=True)
    return directory, True


def _known(directory: Path, targets: tuple[str, ...]) -> Path:
    """An inventory that was written before, when it has just these hosts."""
    from toolkit.cluster import Cluster
    from toolkit.cluster.hosts_file import parse_target

    known = {host.address for host in Cluster.load(directory).all_hosts}
    if {str(parse_target(target)["ansible_host"]) for target in targets} != known:
        raise ToolkitError(
            f"{directory} exists and has other hosts ({', '.join(sorted(known))})",
            where=str(directory / "hosts.yml"),
            fix=f"edit it, then: toolkit provision -i {directory}",
        )
    return directory


def _summary(result: Result, inventory: Inventory, check: bool, again: str) -> str:
    from toolkit.findings import findings_text

    lines = [findings_text(result.findings)] if result.exit_code == EXIT_REFUSED else []
    if result.exit_code == EXIT_REFUSED:
        wrote = f"; written here: {', '.join(result.wrote)}" if result.wrote else ""
        lines += ["", f"refused: nothing was changed on any host{wrote} (record: {result.record})"]
        return "\n".join(lines)
    if result.exit_code == EXIT_INTERRUPTED:
        return f"interrupted; continue with: {again}"
    for failure in result.failures:
        lines += [
            f"FAILED on {failure.host or 'this machine'}: {failure.task}",
            f"  cause: {failure.detail}",
        ]
    if check:
        lines += [f"{event.host}: {event.task} {event.detail}".rstrip() for event in result.changes]
        lines += result.groups
        lines += [f"{len(result.changes)} change(s) would be made; nothing was changed"]
    failed = [item for item in result.checks if not item.ok]
    for item in failed:
        lines += [
            f"{'warning' if item.passes else 'NOT PROVEN'}: {item.host} {item.component} {item.name}: {item.detail} [{item.id}]"
        ]
        lines += [f"  fix: {item.fix}"] if item.fix else []
    if result.exit_code:
        lines += result.details
        lines += [f"record: {result.record}", f"next: toolkit status -i {inventory}",
                  f"then continue with: {again}"]  # fmt: skip
    elif not check:
        lines += _success(result, inventory)
    return "\n".join(lines)


def _success(result: Result, inventory: Inventory) -> list[str]:
    from toolkit.cluster import Cluster

    user = Cluster.load(inventory).setting("airflow_admin_username")
    proof = (
        f"{sum(check.ok for check in result.checks)} checks hold, the canary DAG ran"
        if result.checks
        else "not verified"
    )
    return [
        f"Airflow runs ({proof}; {len(result.changes)} changes in {result.seconds:.0f} s)",
        *(f"  {line}" for line in result.groups),
        *(f"  {line}" for line in result.details),
        f"  web UI:   {result.url} (user {user})",
        f"  password: toolkit secrets show airflow_admin_password -i {inventory}",
        f"next: toolkit status -i {inventory}",
    ]
