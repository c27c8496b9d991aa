"""The half of `claim_host` that runs on the control machine: who provisions, and digests of files to come."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):  # type: ignore[misc]
    """Adds what the host cannot know."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """What the module on the host answers."""
        super().run(tmp, task_vars)
        variables, given = task_vars or {}, dict(self._task.args)
        wanted = dict(given["wanted"])
        wanted["files"] = [self._with_digest(entry) for entry in wanted["files"]]
        user = os.environ.get("SUDO_USER") or getpass.getuser()
        given |= {
            "wanted": wanted,
            "by": f"{user}@{socket.gethostname()}",
            "origin": str(variables.get("inventory_dir") or ""),
            "login": str(self._play_context.remote_user or ""),
        }
        answer: dict[str, Any] = self._execute_module(
            module_name="claim_host", module_args=given, task_vars=task_vars
        )
        answer.pop("invocation", None)
        return answer

    def _with_digest(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """A file that is copied as it is, with its digest: one that is there already is no question."""
        found = dict(entry)
        source = found.pop("copy", "")
        if source:
            try:
                path = Path(self._find_needle("files", source))
                found["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            except (AnsibleError, OSError):
                found["sha256"] = ""  # whoever copies it says what is wrong with it
        return found
