"""What a host is compared with others by: its names, its machine-id and its clock; needs no root."""

import time

from toolkit.onhost import network, system


def main(_payload):
    """These, in the probe's words."""
    begun = time.time()
    return {
        "os": system.os_release(),
        "machine": system.machine(),
        "network": network.network_names(),
        "clock_start": begun,
        "clock_end": time.time(),
    }
