"""What is wanted: inventory, variables, vault, settings, topology, sizes, lock."""

from toolkit.cluster.inventory import Inventory, ansible_config
from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.variables import Variable

__all__ = ["Cluster", "Host", "Inventory", "Variable", "ansible_config"]
