"""What is wrong with an inventory; every verb that needs a sound one asks here."""

from __future__ import annotations

from toolkit import checks
from toolkit.cluster import Cluster, settings
from toolkit.errors import ToolkitError
from toolkit.findings import Finding, errors
from toolkit.providers import described


def validate(cluster: Cluster) -> list[Finding]:
    """What is wrong with an inventory; connects nowhere and writes nothing."""
    found = settings.validate(cluster)
    # Whether values make sense together is asked only of values that make sense alone.
    return found if errors(found) else found + checks.validate_plan(described(cluster))


def refuse_wrong(cluster: Cluster) -> None:
    """For verbs about a cluster that runs: what no provision could have made has no web server, for example.

    Raises:
        ToolkitError: something is wrong with the inventory; the first of it.
    """
    for finding in errors(validate(cluster))[:1]:
        raise ToolkitError(finding.what, fix=finding.fix, id=finding.id)
