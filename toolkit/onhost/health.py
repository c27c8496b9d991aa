"""What `toolkit health` asks a host: its state, and what of its facts changes while it runs; as root.

Every part stands alone: one that fails is left out, and named under "errors" of the facts.
"""

import os
import time
from configparser import ConfigParser

from toolkit.onhost import certificates, drained, drift, filesystems, mutes, state, system, units
from toolkit.onhost.lib import CURRENT, environment, in_parallel

PATIENCE = state.PATIENCE + 2


def main(payload):
    """The state, with "facts" in the probe's words, "mutes", "parallelism", "certificate" of the web server."""
    begun = time.time()
    parts = {
        "os": system.os_release,
        "memory": system.memory,
        "paths": lambda: [filesystems.path_facts(path) for path in payload["paths"]],
        "airflow": airflow,
        "drift": drift.drift,
    }
    late = [{}, (None, "")] + [(None, "took too long")] * len(parts)
    calls = [(state.main, payload), (attempt, lambda: certificate(**payload["certificate"]))]
    calls += [(attempt, part) for part in parts.values()]
    found, shown, *answers = in_parallel(calls, PATIENCE, late)
    if not found:
        raise RuntimeError("the state of the host takes too long, or cannot be read")
    facts = {name: answer for name, (answer, error) in zip(parts, answers) if not error}
    errors = {name: error for name, (_, error) in zip(parts, answers) if error}
    facts.update(errors=errors, clock_start=begun, clock_end=time.time())
    found.update(
        facts=facts,
        mutes=mutes.mutes(),
        parallelism=attempt(parallelism)[0],
        certificate=shown[0],
    )
    return found


def airflow():
    """What drift of units goes by."""
    return {
        "current": os.path.basename(os.path.realpath(CURRENT)) if os.path.exists(CURRENT) else "",
        "configured": os.path.isfile("/etc/airflow/airflow.cfg"),
        "units": units.unit_states(),
        "drained": drained.drained() is not None,
    }


def parallelism(path="/etc/airflow/airflow.cfg", variables=None):
    """How many tasks a scheduler with a LocalExecutor runs at once; None where it is Airflow's default."""
    variables = environment() if variables is None else variables
    file = ConfigParser(interpolation=None, strict=False)
    file.read(path, encoding="utf-8")
    text = file.get("core", "parallelism", fallback="")
    text = variables.get("AIRFLOW__CORE__PARALLELISM", text).strip()
    return int(text) if text.isdigit() else None


def certificate(path="", port=0):
    """When the web server's certificate ends, that of the file and the one that is shown; None without one."""
    return {"file": certificates.ends(path), "shown": certificates.served(port)} if path else None


def attempt(part):
    """What a part found and "", or None and why it failed."""
    try:
        return part(), ""
    except Exception as error:
        return None, "%s: %s" % (type(error).__name__, error)
