"""Hosts that cannot be reached, logged in to or asked."""

from __future__ import annotations

from collections.abc import Iterator

from toolkit.checks.common import answering, host_rule, note, warning
from toolkit.cluster import Cluster
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@host_rule
def problems(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """Every host must answer: a plan for half a cluster is no plan."""
    for problem in probe.problems.values():
        yield problem.finding


@host_rule
def incomplete(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What the probe could not find out is not validated, so it is reported."""
    for host, facts in answering(cluster, probe):
        for part, cause in facts.errors.items():
            yield warning(
                "access.incomplete",
                host=host.name,
                what=f"could not find out about {part} ({cause})",
                fix="check it yourself, or run the same command again",
            )


@host_rule
def root_login(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Works, and no log shows who did what."""
    for host, _ in answering(cluster, probe):
        if host.user == "root" and not host.access.local:
            yield note(
                "access.root_login",
                host=host.name,
                what="you sign in as root",
                fix="sign in as a user with sudo, and set PermitRootLogin no in sshd_config",
            )


@host_rule
def chatty_shell(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A greeting belongs in what people see only."""
    for host, facts in answering(cluster, probe):
        if facts.chatter:
            yield warning(
                "access.chatty_shell",
                host=host.name,
                what=f"the login shell prints to programs: {facts.chatter[:60]!r}",
                fix="find it in ~/.bashrc, ~/.profile and /etc/bash.bashrc on the host, and print "
                "only to people: case $- in *i*) echo ...;; esac",
            )
