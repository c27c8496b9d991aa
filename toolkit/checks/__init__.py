"""Preflight: pure functions from what is wanted and what is there to findings.

A rule is one function in the file of its topic, with a decorator of common.py that registers it;
whatever lies in this folder is imported, so a new file needs no list. Figures are in thresholds.py.
"""

from __future__ import annotations

import importlib
import pkgutil

from toolkit.checks.common import HOST_RULES, PLAN_RULES
from toolkit.cluster import Cluster
from toolkit.findings import Finding, in_order
from toolkit.hosts.facts import Probe

for _module in pkgutil.iter_modules(__path__, f"{__name__}."):
    importlib.import_module(_module.name)


def validate_plan(cluster: Cluster) -> list[Finding]:
    """What cannot work whatever the hosts are like, by topic; connects nowhere.

    Raises:
        ToolkitError: the vault's password is missing or wrong.
    """
    return in_order(finding for rule in PLAN_RULES for finding in rule(cluster))


def validate_hosts(cluster: Cluster, probe: Probe) -> list[Finding]:
    """What is wrong with the hosts, for this cluster; by topic, in the catalog's order."""
    return in_order(finding for rule in HOST_RULES for finding in rule(cluster, probe))
