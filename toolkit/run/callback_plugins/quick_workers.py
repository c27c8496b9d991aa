"""Makes the process that Ansible forks for every task start and end sooner.

Loaded by ansible-playbook alone.
"""

from __future__ import annotations

import gc
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: quick_workers
type: aggregate
short_description: No garbage collection in the processes of single tasks
description: Says nothing; only sets how often this process and those it forks collect garbage.
author: airflow-toolkit
"""
OBJECTS = 200_000
"""How many new objects it takes until garbage is collected; a task's process makes fewer."""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Hears when the playbook starts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "quick_workers"

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ARG002
        """Collecting goes through all objects of the parent, and so copies all its memory (60 ms)."""
        gc.set_threshold(OBJECTS)
        gc.freeze()
