"""Security groups: which ports of which hosts are opened to whom; from the cluster's own ports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from toolkit.cluster import Cluster
from toolkit.cluster.tables import openings
from toolkit.cluster.topology import ports, server_port
from toolkit.providers.ec2.config import Config
from toolkit.providers.ec2.form import BASTION, MANAGED

SSH_PORT = 22


@dataclass(frozen=True, order=True)
class Rule:
    """A TCP port that is open to a network (CIDR) or to the members of a security group."""

    port: int
    source: str

    def __str__(self) -> str:
        return f"port {self.port} from {self.source}"


@dataclass(frozen=True)
class SecurityGroup:
    """A security group by name; sources of its rules are networks and names of groups."""

    name: str
    description: str
    rules: frozenset[Rule] = field(default_factory=frozenset)


def member_group(cluster: str) -> str:
    """The name of the group that every instance is in, which is what lets members in elsewhere."""
    return f"toolkit-{cluster}"


def set_group(cluster: str, instances: str) -> str:
    """The name of the group of one set of instances, or of a server that AWS runs."""
    return f"toolkit-{cluster}-{instances}"


def wanted(config: Config, cluster: Cluster, access: Sequence[str]) -> tuple[SecurityGroup, ...]:
    """The security groups of a cluster: one for all members, and one for each set of instances and
    each server that AWS runs.

    Args:
        access: the networks that may reach SSH; and the web UI unless web_access says otherwise
            or only a bastion can be reached from outside.
    """
    members, gate = member_group(config.name), set_group(config.name, BASTION)
    outside = frozenset(Rule(SSH_PORT, network) for network in access)
    web: Sequence[str] = tuple(access) if config.web_access is None else config.web_access
    text = f"Members of Airflow cluster {config.name}"
    if config.bastion:
        web = (gate, *(config.web_access or ()))
        groups = [
            SecurityGroup(gate, f"Bastion of Airflow cluster {config.name}", outside),
            SecurityGroup(members, text, frozenset({Rule(SSH_PORT, gate)})),
        ]
    else:
        groups = [SecurityGroup(members, text, outside)]
    for one in config.instances:
        rules = set()
        for port in (port for host in one.hosts for port in ports(cluster, cluster.host(host))):
            known = openings().get(port.setting)
            if len(cluster.all_hosts) > 1 and not (known and known.open_to == "host"):
                rules.add(Rule(port.number, members))
            if known and known.open_to == "people":
                rules |= {Rule(port.number, network) for network in web}
        name = set_group(config.name, one.name)
        text = f"Airflow cluster {config.name}: {', '.join(one.groups)}"
        groups.append(SecurityGroup(name, text, frozenset(rules)))
    for section in config.managed:
        text = f"Airflow cluster {config.name}: {MANAGED[section]} at {section}"
        rule = Rule(server_port(cluster, MANAGED[section]), members)
        groups.append(SecurityGroup(set_group(config.name, section), text, frozenset([rule])))
    return tuple(groups)
