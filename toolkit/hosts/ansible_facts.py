"""What the probe found, as the facts that the roles read: Ansible then gathers none of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from toolkit.cluster import Cluster
from toolkit.cluster.tables import distributions, is_supported
from toolkit.hosts.facts import Facts, Names, Probe

_FAMILIES: Mapping[str, str] = {"debian": "Debian", "redhat": "RedHat"}
_PACKAGE_MANAGERS: Mapping[str, str] = {"apt-get": "apt", "dnf": "dnf"}


def ansible_facts(cluster: Cluster, probe: Probe) -> dict[str, dict[str, Any]]:
    """Facts by host, under the names that Ansible's setup module returns.

    A host that is missing here is left to Ansible, as are all when a variable of the inventory
    may read a fact, which can be any.
    """
    if any(_reads_facts(variable.value) for variable in cluster.variables):
        return {}
    found = {name: _translated(facts) for name, facts in probe.facts.items()}
    return {name: facts for name, facts in found.items() if facts}


def _reads_facts(value: Any) -> bool:
    text = str(value)
    return "ansible_" in text and ("{{" in text or "{%" in text)


def _translated(facts: Facts) -> dict[str, Any]:
    """One host's facts; {} when something about it is unknown or unusual."""
    system, machine, memory, packages = facts.os, facts.machine, facts.memory, facts.packages
    if not (system and machine and memory and packages and system.version and is_supported(system)):
        return {}
    if packages.manager not in _PACKAGE_MANAGERS:
        return {}
    known, names = distributions()[system.id], facts.network or Names()
    return {
        "_ansible_facts_gathered": True,
        "ansible_architecture": machine.architecture,
        "ansible_distribution": known.platform.capitalize(),
        "ansible_distribution_major_version": system.version.partition(".")[0],
        "ansible_distribution_release": system.codename,
        "ansible_distribution_version": system.version,
        "ansible_fqdn": names.fqdn,
        "ansible_memtotal_mb": memory.total_mb,
        "ansible_nodename": names.hostname,
        "ansible_os_family": _FAMILIES[known.family],
        "ansible_pkg_mgr": _PACKAGE_MANAGERS[packages.manager],
        "ansible_processor_vcpus": machine.cpus,
    }
