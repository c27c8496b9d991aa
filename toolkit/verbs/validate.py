"""What is wrong with an inventory; every verb that needs a sound one asks here."""

from __future__ import annotations

from toolkit import checks
from toolkit.cluster import Cluster, settings
from toolkit.findings import Finding, errors
from toolkit.providers import described


def validate(cluster: Cluster) -> list[Finding]:
    """What is wrong with an inventory; connects nowhere and writes nothing."""
    found = settings.validate(cluster)
    # Whether values make sense together is asked only of values that make sense alone.
    return found if errors(found) else found + checks.validate_plan(described(cluster))
