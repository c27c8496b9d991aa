"""What stands in the way of a provision, and the remedies that are safe to run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from toolkit import checks
from toolkit.cluster import Cluster, Inventory
from toolkit.errors import EXIT_FAILED
from toolkit.findings import Finding, errors
from toolkit.hosts import Remote
from toolkit.hosts.probe import collect
from toolkit.run.session import Options, session
from toolkit.verbs.validate import validate


def findings(inventory: Inventory | Path, limit: str | None, password: str | None) -> list[Finding]:
    """What provision's first stages have to say; without a sound plan, of the inventory alone."""
    cluster = Cluster.load(inventory).limited(limit)
    found = validate(cluster)
    # Without a sound plan there is nothing to compare the hosts with; all else is reported at once.
    if any(finding.id.startswith(("settings.", "planning.")) for finding in errors(found)):
        return found
    with Remote(cluster, become_password=password) as remote:
        return found + checks.validate_hosts(cluster, collect(cluster, remote))


def mend(
    inventory: Inventory | Path,
    found: Iterable[Finding],
    options: Options,
    wanted: Callable[[Finding], bool],
    report: Callable[[str], None],
) -> bool:
    """Run those remedies that are wanted, each on its host as root.

    Args:
        wanted: asked for each remedy before it is run.
        report: called with how each ended.

    Returns:
        Whether any was run.

    Raises:
        ToolkitError: another run works on the cluster.
    """
    cluster = Cluster.load(inventory)
    remedies = {(finding.host, finding.remedy): finding for finding in found if finding.remedy}
    with session(cluster.inventory.identity, "check --fix", options) as work:
        remote = work.connect(cluster)
        work.take_lease(cluster)
        failed = False
        for (host, command), finding in remedies.items():
            if wanted(finding):
                work.changed = True
                status = remote.run(cluster.host(host), ["sh", "-c", command])
                failed = failed or status != 0
                report("done" if status == 0 else f"it failed (exit status {status})")
        work.exit_code = EXIT_FAILED if failed else 0
        return work.changed
