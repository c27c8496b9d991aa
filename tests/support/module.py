"""Modules of role base, run on this machine as Ansible runs them on a host."""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

BASE = Path(__file__).resolve().parents[2] / "roles/base"
ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name
START = """
import runpy, sys
import ansible.module_utils
from ansible.module_utils import basic
ansible.module_utils.__path__.append(sys.argv[2])
exec(sys.argv[3])
basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = sys.stdin.buffer.read(), "legacy"
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def run(name: str, arguments: dict[str, Any], prepare: str = "", **options: bool) -> dict[str, Any]:
    """What a module answers.

    Args:
        prepare: Python to be run before, for example to have it look elsewhere.
        options: Ansible's, such as check_mode and diff.
    """
    given = arguments | {f"_ansible_{option}": value for option, value in options.items()}
    done = subprocess.run(
        [sys.executable, "-c", START, str(BASE / f"library/{name}.py"), str(BASE / "module_utils"), prepare],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}), text=True, capture_output=True, check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def write(record: Path, *files: dict[str, Any], **options: bool) -> dict[str, Any]:
    """What write_files answers, with me as the owner of all."""
    wanted = [{"owner": ME, "group": MINE, **file} for file in files]
    return run("write_files", {"files": wanted, "record": str(record)}, **options)
