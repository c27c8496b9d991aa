"""Makes the process that Ansible forks for every task start and end sooner.

Loaded by ansible-playbook alone.
"""

from __future__ import annotations

import gc
from collections import deque
from typing import Any

from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader

DOCUMENTATION = """
name: quick_workers
type: aggregate
short_description: Prepares what the processes of single tasks need
description: Says nothing; loads Jinja's plugins, and sets how often garbage is collected.
author: airflow-toolkit
"""
OBJECTS = 200_000
"""How many new objects it takes until garbage is collected; a task's process makes fewer."""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Hears when a play starts."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "quick_workers"

    def v2_playbook_on_play_start(self, play: Any) -> None:  # noqa: ARG002
        """Do here, once, what each of them would do again."""
        # Filters and tests of Jinja, those of the play's roles too (10 ms).
        for loader in (filter_loader, test_loader):
            deque(loader.all(), maxlen=0)
        # Collecting goes through all objects of the parent, and so copies all its memory (60 ms).
        gc.set_threshold(OBJECTS)
        gc.freeze()
