"""What is wanted: inventory, variables, vault, settings, topology, sizes, lock."""

from toolkit.cluster.model import Cluster, Host
from toolkit.cluster.reader import ansible_config
from toolkit.cluster.variables import Variable

__all__ = ["Cluster", "Host", "Variable", "ansible_config"]
