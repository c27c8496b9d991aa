"""How a running cluster is: what hosts say (status) and the proof that it works (verify)."""

from toolkit.health.check import Check
from toolkit.health.state import HostState, states
from toolkit.health.verify import verify

__all__ = ["Check", "HostState", "states", "verify"]
