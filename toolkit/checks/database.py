"""What an installed Airflow's metadata database holds: keys, users. The program that examined it found the words."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.checks.common import SETTINGS_FILE, error, host_rule, plan_rule
from toolkit.cluster import Cluster
from toolkit.findings import Finding, Severity
from toolkit.hosts.database import wanted_users
from toolkit.hosts.facts import Probe


@plan_rule
def users(cluster: Cluster) -> Iterator[Finding]:
    """Names and addresses are there once; Airflow compares names without regard to case."""
    names: dict[str, str] = {}
    emails: dict[str, str] = {}
    for name, email in wanted_users(cluster):
        first = names.setdefault(name.lower(), name)
        if first is not name:
            yield error(
                "database.same_user",
                what=f"user {name} is there twice" + (f" (as {first})" if first != name else ""),
                fix=f"remove one of them from airflow_users, or change airflow_admin_username ({SETTINGS_FILE})",
            )
            continue
        owner = emails.setdefault(email.lower(), name)
        if owner != name:
            yield error(
                "database.same_user",
                what=f"users {owner} and {name} have the same e-mail address {email}",
                fix=f"give one of them another (airflow_users, airflow_admin_email; {SETTINGS_FILE})",
            )


@host_rule
def stored(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """A provision would be refused by the same program (roles/airflow/files/examine_database.py)."""
    for found in probe.database.problems:
        # A server that is down may be started by the provision.
        severity = "warning" if found.id == "database.unreadable" else found.severity
        yield Finding.of(found.id, what=found.what, fix=found.fix, severity=Severity(severity))
