"""SSH to the hosts of a cluster: one round trip a script, all hosts at once."""

from toolkit.remote.problem import HostProblem
from toolkit.remote.session import Remote

__all__ = ["HostProblem", "Remote"]
