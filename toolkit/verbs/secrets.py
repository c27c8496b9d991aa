"""Shows a secret of the vault, and fills a vault that was lost from the cluster's hosts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster import Cluster, Inventory, vault
from toolkit.cluster.host_secrets import IN_URL, OWN
from toolkit.cluster.ownership import ID
from toolkit.cluster.specs import load_specs, nearest
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts import HostProblem
from toolkit.onhost.bundle import program
from toolkit.run.session import Options, session
from toolkit.run.stages import Stage, Step

RECOVER = Step("recover", "reading the hosts' secrets", "hosts' secrets read")


@dataclass
class Recovered:
    """What recovering came to; names only.

    Attributes:
        stored: settings whose values are in the vault now.
        differing: settings whose values in the inventory are not those of the hosts.
        missing: generated secrets that no host could tell, and that the next provision makes.
        problems: hosts that could not be asked, and why.
    """

    cluster: str
    vault: str
    stored: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    problems: dict[str, str] = field(default_factory=dict)


def value(inventory: Inventory, name: str) -> str:
    """The value of a secret setting.

    Raises:
        ToolkitError: there is no secret of that name, it has no value, or the vault cannot be opened.
    """
    cluster = Cluster.load(inventory)
    spec, known = load_specs().get(name), {variable.name for variable in cluster.variables}
    if spec is None and name not in known:
        near = nearest(name)
        raise ToolkitError(
            f"there is no secret {name}" + (f"; did you mean {near}?" if near else ""),
            where=str(inventory),
            fix="toolkit secrets list -i " + str(inventory),
        )
    found = cluster.setting(name)
    if found in (None, ""):
        raise ToolkitError(
            f"{name} has no value here",
            where=str(cluster.vault.path),
            fix=f"toolkit provision -i {inventory} makes the secrets that are missing; "
            f"toolkit secrets recover -i {inventory} reads those of hosts that have them",
        )
    return str(found)


def names(inventory: Inventory) -> dict[str, str]:
    """The secrets of an inventory: setting -> where it is written."""
    specs = load_specs()
    return {
        variable.name: str(variable.location)
        for variable in Cluster.load(inventory).variables
        if variable.secret or (variable.name in specs and specs[variable.name].secret)
    }


def recover(inventory: Inventory, options: Options) -> tuple[Recovered, int]:
    """Store the secrets that the hosts have and the inventory lacks; changes no host.

    Raises:
        ToolkitError: hosts belong to different clusters, or disagree about a secret.
    """
    cluster = Cluster.load(inventory)
    result = Recovered(cluster.name, str(cluster.vault.path))
    with session(cluster.inventory.identity, "secrets recover", options) as work:

        def read() -> bool:
            payload = {"variables": dict(OWN), "urls": _own_servers(cluster)}
            remote = work.connect(cluster)
            answers = remote.fan_out(cluster.hosts, program("secrets"), payload)
            _store(cluster, _agreed(answers, result), result)
            return not result.differing

        work.carry_out([Stage(RECOVER, read)])
        failed = result.differing or result.problems
        work.exit_code = EXIT_FAILED if failed else 0
    return result, work.exit_code


def _own_servers(cluster: Cluster) -> dict[str, str]:
    """Variables with the URL of a server of the cluster's own -> the setting of the password in it."""
    return {
        name: password
        for name, (*given, password) in IN_URL.items()
        if not any(cluster.setting(url) for url in given)
    }


def _agreed(answers: Mapping[str, Any], result: Recovered) -> dict[str, str]:
    """What all hosts together say; they have to be of one mind."""
    found: dict[str, tuple[str, str]] = {}  # setting -> (value, the host that has it)
    for host, answer in answers.items():
        if isinstance(answer, HostProblem):
            result.problems[host] = answer.what
            continue
        own = dict(answer["secrets"])
        if answer["cluster"].get("id"):
            own[ID] = answer["cluster"]["id"]
        for name, text in own.items():
            known, other = found.setdefault(name, (text, host))
            if known != text:
                raise ToolkitError(
                    "the hosts belong to different clusters"
                    if name == ID
                    else f"the hosts have different values for {name}",
                    where=f"{other} and {host}",
                    fix="choose the hosts of one cluster: --limit HOST",
                )
    return {name: text for name, (text, _) in found.items()}


def _store(cluster: Cluster, found: Mapping[str, str], result: Recovered) -> None:
    lacking = vault.missing(cluster)
    result.differing = [
        name for name, text in found.items()
        if name not in lacking and str(cluster.setting(name) or "") not in ("", text)
    ]  # fmt: skip
    if result.differing:
        return
    fresh = {name: text for name, text in found.items() if name in lacking}
    vault.update(cluster, fresh)
    result.stored = sorted(fresh)
    result.missing = sorted(lacking.keys() - fresh.keys())
