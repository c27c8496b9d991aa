"""Lab hosts: systemd containers with sshd on this machine, reached like any other host."""

from toolkit.providers.lab.hosts import LabHost, down, listing, remove_abandoned
from toolkit.providers.lab.machine import podman
from toolkit.providers.lab.saved import Saved, forget, remove_abandoned_images, saved_labs
from toolkit.providers.lab.snapshot import restore, save
from toolkit.providers.lab.up import up

__all__ = [
    "LabHost",
    "Saved",
    "down",
    "forget",
    "listing",
    "podman",
    "remove_abandoned",
    "remove_abandoned_images",
    "restore",
    "save",
    "saved_labs",
    "up",
]
