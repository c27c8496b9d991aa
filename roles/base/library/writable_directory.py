#!/usr/bin/python
"""Refuses a directory that takes no data: read-only, or without space. Changes nothing."""

import os

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: writable_directory
short_description: Refuse a directory that takes no data
description:
  - Fails when a directory, or where it is missing its nearest parent, is on a read-only file system
    or has too little space.
options:
  path: {description: The directory, type: path, required: true}
  megabytes: {description: Free space that it needs, type: int, required: true}
author: airflow-toolkit
"""


def existing(path: str) -> str:
    """The path itself, or its nearest parent that exists."""
    while not os.path.exists(path):
        path = os.path.dirname(path)
    return path


def problem(path: str, megabytes: int) -> str:
    """Why the directory takes no data, and what to do; "" when it does."""
    nearest = existing(path)
    # Root may write anywhere but on a read-only file system.
    if not os.access(nearest, os.W_OK):
        return f"{path} is on a read-only file system; fix: sudo mount -o remount,rw $(findmnt -no TARGET -T {nearest})"
    found = os.statvfs(nearest)
    free = found.f_bavail * found.f_frsize // 2**20
    if free < megabytes:
        return f"{path} has {free} MB free, {megabytes} MB are needed; fix: enlarge or clear its file system: df -h {nearest}"
    if not found.f_favail:
        return f"{path} has no inodes left; fix: clear its file system: df -i {nearest}"
    return ""


def main() -> None:
    """Ansible calls it."""
    module = AnsibleModule(
        {
            "path": {"type": "path", "required": True},
            "megabytes": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    found = problem(module.params["path"], module.params["megabytes"])
    if found:
        module.fail_json(msg=found)
    module.exit_json(changed=False)


if __name__ == "__main__":
    main()
