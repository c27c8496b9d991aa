"""What is wanted: inventory, variables, vault, settings, topology, sizes, lock."""

from toolkit.cluster.model import GROUPS, Cluster, Host
from toolkit.cluster.reader import EC2_FILE, ansible_config
from toolkit.cluster.variables import Variable

__all__ = ["EC2_FILE", "GROUPS", "Cluster", "Host", "Variable", "ansible_config"]
