#!/usr/bin/python
"""Puts names on the list of what is ours on this host, before it is made."""

from ansible.module_utils import ownership
from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: list_ours
short_description: Put names on the list of what is ours
description:
  - Whoever adds a package or a database to a host lists it first, so that a run that is killed leaves nothing unlisted.
options:
  packages: {description: Packages that are about to be added, type: list, elements: str, default: []}
  databases: {description: "Databases that are about to be created, as engine:name", type: list, elements: str, default: []}
author: airflow-toolkit
"""


def main() -> None:
    """Ansible calls it."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule({"packages": names, "databases": names}, supports_check_mode=True)
    try:
        if not module.check_mode:
            with ownership.changing() as record:
                for kind in ("packages", "databases"):
                    ownership.add(record, kind, module.params[kind])
    except ownership.BrokenError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
