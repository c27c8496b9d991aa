"""Where the toolkit keeps its own files on the control machine (XDG base directories)."""

from __future__ import annotations

import os
from pathlib import Path


def _base(variable: str, fallback: str) -> Path:
    chosen = os.environ.get(variable)
    return Path(chosen) if chosen else Path.home() / fallback


def state_dir() -> Path:
    """Run records, locks and lab descriptions; kept until the user deletes them."""
    return _base("XDG_STATE_HOME", ".local/state") / "toolkit"


def cache_dir() -> Path:
    """Lab images and downloads; may be deleted at any time."""
    return _base("XDG_CACHE_HOME", ".cache") / "toolkit"
