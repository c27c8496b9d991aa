"""Lab hosts: systemd containers with sshd on this machine, reached like any other host."""

from toolkit.providers.lab.hosts import LabHost, down, listing, remove_abandoned, up
from toolkit.providers.lab.machine import podman

__all__ = ["LabHost", "down", "listing", "podman", "remove_abandoned", "up"]
