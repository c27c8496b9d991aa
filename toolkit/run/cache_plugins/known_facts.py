"""A fact cache for Ansible that begins with what the toolkit's probe found.

Loaded by ansible-playbook alone. With `gathering = smart` it gathers no facts of a host that is in here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.plugins.cache.memory import CacheModule as Memory

DOCUMENTATION = """
name: known_facts
short_description: Facts that are known before the play
description: Keeps facts in memory, and begins with those in a file.
author: airflow-toolkit
"""
FILE = "TOOLKIT_FACTS"
"""Names the file: host -> facts, as JSON."""


class CacheModule(Memory):  # type: ignore[misc]
    """Ansible's own cache in memory, filled."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)
        for host, facts in json.loads(Path(os.environ[FILE]).read_text(encoding="utf-8")).items():
            self.set(host, facts)
