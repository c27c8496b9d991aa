"""SSH to the hosts of a cluster: one round trip a script, all hosts at once."""

from toolkit.hosts.problem import HostProblem
from toolkit.hosts.remote import Remote

__all__ = ["HostProblem", "Remote"]
