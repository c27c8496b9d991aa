"""The roles' filters for templates that a test renders: as in a play, where base is always loaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from ansible.plugins.loader import add_all_plugin_dirs, init_plugin_loader

ROLES = Path(__file__).resolve().parents[2] / "roles"


@cache
def load(*roles: str) -> None:
    """Have Ansible find its own plugins, and those of base and of these roles."""
    init_plugin_loader()
    for role in ("base", *roles):
        add_all_plugin_dirs(str(ROLES / role))
