"""A fact cache for Ansible that begins with what the toolkit's probe found.

Loaded by ansible-playbook alone. With `gathering = smart` it gathers no facts of a host that is in here.
"""

from __future__ import annotations

import json
import os
import sys
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from ansible.plugins.cache.memory import CacheModule as Memory

DOCUMENTATION = """
name: known_facts
short_description: Facts that are known before the play
description: Keeps facts in memory, and begins with those in a file, which it waits for.
author: airflow-toolkit
"""
FILE = "TOOLKIT_FACTS"
"""Names the file: host -> facts, as JSON; null when the run is not wanted any more."""
INTERVAL = 0.01
"""Seconds between two looks for the file."""


class CacheModule(Memory):  # type: ignore[misc]
    """Ansible's own cache in memory; whoever asks it first waits for the file."""

    @cached_property
    def _cache(self) -> dict[str, Any]:
        path = Path(os.environ[FILE])
        while not path.exists():
            time.sleep(INTERVAL)
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts is None:
            sys.exit("not wanted any more")
        found: dict[str, Any] = facts
        return found

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        del self._cache  # empty; the property's turn
