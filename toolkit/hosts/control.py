"""The units of components on hosts: started, stopped, and how they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from toolkit.cluster import Cluster, Host
from toolkit.errors import ToolkitError
from toolkit.hosts.answer import read
from toolkit.hosts.journal import patterns
from toolkit.hosts.problem import answered
from toolkit.hosts.remote import Remote
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class Unit:
    """A unit, with systemd's ActiveState and SubState, and whether it is on its way to another."""

    unit: str
    active: str = ""
    sub: str = ""
    busy: bool = False


@dataclass(frozen=True)
class HostUnits:
    """What onhost/control.py says of a host: the units of each component, and what systemctl refused."""

    units: Mapping[str, tuple[Unit, ...]] = field(default_factory=dict)
    error: str = ""


def control(
    cluster: Cluster, remote: Remote, wanted: Mapping[str, Iterable[str]], action: str = ""
) -> dict[str, HostUnits]:
    """Do something to the units of components, on all hosts at once, without waiting for it.

    Args:
        wanted: a host's name -> its components in play.
        action: start, stop or restart; "" to ask how they are.

    Returns:
        For each host's name how they are now.

    Raises:
        HostProblem: a host cannot be asked.
        ToolkitError: systemctl refuses it.
    """

    def payload(host: Host) -> dict[str, object]:
        units = {name: patterns(name) for name in wanted[host.name]}
        return {"action": action, "units": units}

    hosts = [host for host in cluster.all_hosts if host.name in wanted]
    answers = answered(remote.fan_out(hosts, program("control"), payload))
    found = {}
    for name, answer in answers.items():
        found[name] = read(HostUnits, answer)
        if found[name].error:
            raise ToolkitError(
                found[name].error, where=name,
                fix=f"toolkit status -i {cluster.inventory}",
            )  # fmt: skip
    return found
