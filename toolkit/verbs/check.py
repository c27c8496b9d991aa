"""What stands in the way of a provision."""

from __future__ import annotations

from pathlib import Path

from toolkit import checks
from toolkit.findings import Finding, errors
from toolkit.hosts import Remote
from toolkit.hosts.probe import collect
from toolkit.verbs.provision import read


def findings(inventory: Path, limit: str | None, password: str | None) -> list[Finding]:
    """What provision's first three stages have to say; without a sound plan, of the first alone."""
    cluster, found = read(inventory, limit)
    # Without a sound plan there is nothing to hold the hosts against; all else can be told at once.
    if any(finding.id.startswith(("settings.", "planning.")) for finding in errors(found)):
        return found
    with Remote(cluster, become_password=password) as remote:
        return found + checks.validate_hosts(cluster, collect(cluster, remote))
