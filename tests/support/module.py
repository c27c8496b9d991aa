"""Modules of role base, run on this machine as on a host."""

from __future__ import annotations

import grp
import io
import json
import os
import pwd
import runpy
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

BASE = Path(__file__).resolve().parents[2] / "roles/base"
ME = pwd.getpwuid(os.getuid()).pw_name
MINE = grp.getgrgid(os.getgid()).gr_name


def find_utils() -> None:
    """Have modules find those of role base that they share, as in a play."""
    import ansible.module_utils

    if str(BASE / "module_utils") not in ansible.module_utils.__path__:
        ansible.module_utils.__path__.append(str(BASE / "module_utils"))


def run(name: str, arguments: dict[str, Any], prepare: str = "", **options: bool) -> dict[str, Any]:
    """What a module answers; in this process, as a new one takes half a second.

    Args:
        prepare: Python to be run before, which has its modules look elsewhere.
        options: Ansible's, such as check_mode and diff.
    """
    from ansible.module_utils import basic

    find_utils()
    from ansible.module_utils import ownership, strangers

    given = arguments | {f"_ansible_{option}": value for option, value in options.items()}
    kept = [(module, dict(vars(module))) for module in (ownership, strangers, basic)]
    said = io.StringIO()
    try:
        exec(prepare, {})
        basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": given}).encode()
        basic._ANSIBLE_PROFILE = "legacy"
        with redirect_stdout(said), suppress(SystemExit):
            runpy.run_path(str(BASE / f"library/{name}.py"), run_name="__main__")
    finally:
        for module, values in kept:
            vars(module).update(values)
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


def write(record: Path, *files: dict[str, Any], **options: bool) -> dict[str, Any]:
    """What write_files answers, with me as the owner of all."""
    wanted = [{"owner": ME, "group": MINE, **file} for file in files]
    return run("write_files", {"files": wanted, "record": str(record)}, **options)
