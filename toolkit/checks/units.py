"""What the units of Airflow may reach, and options that they are given."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from toolkit.checks.common import (
    SETTINGS_FILE,
    answering,
    error,
    host_rule,
    plan_rule,
    set_options,
    warning,
)
from toolkit.cluster import Cluster, planner
from toolkit.cluster.hardening import is_unconfined, read_paths, written_paths
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe

TEMPORARY = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/")


@plan_rule
def own_options(cluster: Cluster) -> Iterator[Finding]:
    """What other files and units rely on."""
    for variable in cluster.variables:
        mine = variable.name == "airflow_unit_options" and isinstance(variable.value, dict)
        for option in sorted(set(planner.OWN_OPTIONS) & set(variable.value if mine else ())):
            yield error(
                "units.own_option",
                host="",
                what=f"{variable.location}: airflow_unit_options sets {option}, which belongs to the role",
                fix="remove it",
            )


@plan_rule
def impersonation(cluster: Cluster) -> Iterator[Finding]:
    """`run_as_user` in a DAG cannot be seen from here, its default can."""
    if all(is_unconfined(cluster, host) for host in cluster.all_hosts):
        return
    for option in set_options(cluster, "core", "default_impersonation"):
        yield error(
            "units.impersonation",
            host="",
            what=f"{option.name} is {option.shown}, and the units may not gain the rights of another user",
            fix=f"set in {SETTINGS_FILE}: airflow_hardening: off (docs/hardening.md says what that opens)",
        )


@plan_rule
def temporary(cluster: Cluster) -> Iterator[Finding]:
    """What is old or not used is removed there."""
    hosts = cluster.all_hosts
    found = {
        path
        for host in hosts
        for path in [*read_paths(cluster, host), *written_paths(cluster, host)]
    }
    for path in sorted(found):
        if f"{path}/".startswith(TEMPORARY):
            yield warning(
                "units.temporary",
                host="",
                what=f"{path} is in a directory for temporary files, which are removed",
                fix="name a directory that stays, for example one below /srv",
            )


@host_rule
def unreadable(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """DAGs, plugins, bundles and the interpreter are read as a user of its own."""
    for host, facts in answering(cluster, probe):
        for path, above in facts.unreadable.items():
            right = "rx" if above == path else "x"
            yield error(
                "units.unreadable",
                host=host.name,
                what=f"user airflow cannot read {path}: {above} is closed to it",
                fix=f"sudo chmod o+{right} {quote(above)}, or name another path in the inventory",
            )


@host_rule
def unwritable(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Logs and airflow_writable_paths; one that is missing is made by the role."""
    for host, facts in answering(cluster, probe):
        for path, above in facts.unwritable.items():
            new = f"{path.rstrip('/')}/airflow"
            give = (
                f"sudo setfacl -m u:airflow:{'rwx' if above == path else 'x'} {quote(above)}"
                if facts.airflow.ours
                else f"sudo chmod o+{'wx' if above == path else 'x'} {quote(above)}"
            )
            yield error(
                "units.unwritable",
                host=host.name,
                what=f"user airflow cannot write to {path}: {above} is closed to it",
                fix=f"name a directory that is not there yet, which provision makes, such as {new}; or: {give}",
            )


@host_rule
def options(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Only the host's own systemd knows which options it has."""
    for host, facts in answering(cluster, probe):
        for option, said in facts.unit_options:
            yield error(
                "units.option",
                host=host.name,
                what=f"{option} in airflow_unit_options: systemd on this host says: {said}",
                fix=f"correct airflow_unit_options in {SETTINGS_FILE}, or the file of this host",
            )
