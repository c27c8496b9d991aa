#!/usr/bin/python
"""Finds the Redis server that the role may configure; refuses one that is not ours."""

import os
import shutil

from ansible.module_utils import addresses
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: redis_survey
short_description: Find the Redis server that the role may configure
description:
  - A server is ours when the role configured it before, or when its configuration is the package's
    and nobody has data in it.
  - Fails, before anything is changed, where the only server is not ours.
options:
  package: {description: Name of the distribution's package, type: str, required: true}
  configuration: {description: The package's configuration file, type: path, required: true}
  ours: {description: The file that the role writes, type: path, required: true}
  adopt: {description: Take a server with data of others, type: bool, default: false}
  address: {description: Address or name that other hosts reach this one at, type: str, required: true}
author: airflow-toolkit
"""
RETURN = """
bind: {description: Addresses of this host to listen on for others, type: list, elements: str, returned: always}
"""
WAYS_OUT = (
    "fix: let Airflow use it as it is by naming it in broker_url; or let it be configured for Airflow, "
    "which sets a password and turns eviction off: redis_adopt: true"
)


def refusal(configuration: str, altered: bool, keyspace: str) -> str:
    """Why the server is not configured, and what to do; "" when it may be.

    Args:
        altered: whether the file is not as the package brought it.
        keyspace: the server's INFO keyspace.
    """
    used = [line for line in keyspace.splitlines() if line.startswith("db")]
    if used:
        return f"Redis on this host has data of others: {', '.join(used)}; {WAYS_OUT}"
    if altered:
        return f"Redis on this host has a configuration of its own: {configuration}; {WAYS_OUT}"
    return ""


class Survey:
    """Asks the server of this host."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def run(self, *command: str) -> str:
        """What a command prints; "" when there is no such command."""
        return self.module.run_command(list(command))[1] if shutil.which(command[0]) else ""

    def altered(self, package: str, configuration: str) -> bool:
        """Whether a package's configuration file is not as the package brought it."""
        output = self.run("dpkg", "--verify", package) or self.run(
            "rpm", "--verify", "--nomode", "--nouser", "--nogroup", package
        )
        return any(line.endswith(" " + configuration) for line in output.splitlines())

    def keyspace(self) -> str:
        """What the server says of its data; "" when it does not run or wants a password."""
        client = shutil.which("redis-cli") or shutil.which("redis6-cli")
        return self.run(client, "INFO", "keyspace") if client else ""


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "package": {"type": "str", "required": True},
            "configuration": {"type": "path", "required": True},
            "ours": {"type": "path", "required": True},
            "adopt": {"type": "bool", "default": False},
            "address": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    wanted, survey = module.params, Survey(module)
    theirs = os.path.exists(wanted["configuration"]) and not os.path.exists(wanted["ours"])
    if theirs and not wanted["adopt"]:
        altered = survey.altered(wanted["package"], wanted["configuration"])
        found = refusal(wanted["configuration"], altered, survey.keyspace())
        if found:
            module.fail_json(msg=found)
    module.exit_json(changed=False, bind=addresses.listening(wanted["address"]))


if __name__ == "__main__":
    main()
