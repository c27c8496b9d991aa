"""Where playbooks, roles, templates and sample inventories stand: in the checkout or in the wheel."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from toolkit.errors import ToolkitError

CONTENT_VARIABLE = "TOOLKIT_CONTENT_DIR"
"""Names a directory with playbooks/, roles/, templates/ and inventory/ to use instead."""


@cache
def content_dir() -> Path:
    """The directory that holds playbooks/, roles/, templates/ and inventory/.

    Raises:
        ToolkitError: TOOLKIT_CONTENT_DIR names a directory without playbooks/.
    """
    override = os.environ.get(CONTENT_VARIABLE)
    if override:
        chosen = Path(override).expanduser().resolve()
        if not (chosen / "playbooks").is_dir():
            raise ToolkitError(
                f"{CONTENT_VARIABLE} is {override}, which has no playbooks/ directory",
                fix=f"unset {CONTENT_VARIABLE}",
            )
        return chosen
    package = Path(__file__).resolve().parent
    in_wheel = package / "_content"
    return in_wheel if in_wheel.is_dir() else package.parent
