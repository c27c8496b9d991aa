"""What is wanted: inventory, variables, vault, settings, topology, sizes, lock."""

from toolkit.cluster.model import GROUPS, Cluster, Host
from toolkit.cluster.reader import (
    EC2_FILE,
    IGNORED_ENDINGS,
    NOT_INVENTORY,
    NOT_INVENTORY_PATTERN,
    Variable,
)

__all__ = [
    "EC2_FILE",
    "GROUPS",
    "IGNORED_ENDINGS",
    "NOT_INVENTORY",
    "NOT_INVENTORY_PATTERN",
    "Cluster",
    "Host",
    "Variable",
]
