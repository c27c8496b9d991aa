"""Collects the facts of the host it runs on.

Works with and without root (without, other users' processes stay nameless), and changes nothing.
Every part stands alone: one that fails is named under "errors" and the others still answer.
Whatever waits (interpreters, systemctl, the network) runs in threads, so the whole takes as long
as the slowest part.
"""

import os
import time

from toolkit.onhost import (
    airflow,
    certificates,
    claim,
    digests,
    downloads,
    drift,
    existing,
    filesystems,
    network,
    packages,
    pythons,
    system,
    unit_options,
)
from toolkit.onhost.lib import in_parallel


def main(payload):
    """Collect everything; `payload` says which paths, URLs and ports matter to this host."""
    begun = time.time()
    os.environ.update(payload.get("environment", {}))
    wanted = parts(payload)
    answers = in_parallel(
        [(attempt, part) for part in wanted.values()],
        network.network_wait(payload) + 1,
        [(None, "took too long")] * len(wanted),
    )
    found = {"clock_start": begun, "errors": {}}
    for name, (answer, error) in zip(wanted, answers):
        if error:
            found["errors"][name] = error
        else:
            found[name] = answer
    found["clock_end"] = time.time()
    return found


def parts(payload):
    """Name of each part -> the function that finds it out."""
    return {
        "os": system.os_release,
        "machine": system.machine,
        "memory": system.memory,
        "systemd": system.systemd,
        "paths": lambda: [filesystems.path_facts(path) for path in payload.get("paths", [])],
        "listeners": network.listeners,
        "packages": lambda: packages.packages(payload.get("server_packages", [])),
        "pythons": lambda: pythons.pythons(payload.get("interpreter", "")),
        "network": network.network_names,
        "time_zone": system.time_zone,
        "locales": system.locales,
        "airflow": lambda: airflow.airflow(payload.get("airflow_commands", [])),
        "system": system.system,
        "unreadable": lambda: filesystems.blocked(payload.get("reads", []), filesystems.READ),
        "unwritable": lambda: filesystems.blocked(payload.get("writes", []), filesystems.WRITE),
        "unit_options": lambda: unit_options.refused(payload.get("unit_options", [])),
        "existing": lambda: existing.existing(payload.get("default_passwords", [])),
        "drift": drift.drift,
        "claim": lambda: (
            claim.claim(payload["wanted"], payload["adopted"]) if payload.get("wanted") else {}
        ),
        "secrets": lambda: digests.secrets(payload.get("nonce", ""), payload.get("secrets", [])),
        "certificate": lambda: certificates.examine(payload.get("certificate")),
        "urls": lambda: downloads.urls(payload),
        "ports": lambda: network.ports(payload),
    }


def attempt(part):
    """What a part found and "", or None and why it failed."""
    try:
        return part(), ""
    except Exception as error:
        return None, "%s: %s" % (type(error).__name__, error)
