"""Where files are: what ships with the toolkit, and what it keeps on this machine (XDG directories)."""

from __future__ import annotations

import errno
import hashlib
import os
from functools import cache
from pathlib import Path

from toolkit.errors import EXIT_REFUSED, ToolkitError

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
        chosen = expanded(override).resolve()
        if not (chosen / "playbooks").is_dir():
            raise ToolkitError(
                f"{CONTENT_VARIABLE} is {override}, which has no playbooks/ directory",
                fix=f"unset {CONTENT_VARIABLE}",
            )
        return chosen
    package = Path(__file__).resolve().parent
    in_wheel = package / "_content"
    return in_wheel if in_wheel.is_dir() else package.parent


@cache
def digest() -> str:
    """One SHA-256 of all that provisions a host: playbooks, roles, templates and this package."""
    found = hashlib.sha256()
    folders = [content_dir() / name for name in ("playbooks", "roles", "templates")]
    for folder in (*folders, Path(__file__).resolve().parent):
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found.update(f"{path.relative_to(folder.parent)}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def expanded(path: Path | str) -> Path:
    """A path with its ~; one of a user that does not exist stays as it is, and is then missing."""
    return Path(os.path.expanduser(path))  # noqa: PTH111  (pathlib's raises RuntimeError)


def refused_by_system(error: OSError) -> ToolkitError:
    """What this machine refused, such as to write a file, in the user's words.

    The exit status is EXIT_REFUSED, unless a run that had changed something says otherwise.
    """
    place = str(error.filename) if error.filename is not None else None
    fix = None
    if place is None and error.errno == errno.ENOENT:  # what getcwd() says
        return ToolkitError("the working directory is gone", fix="cd")
    for variable, folder in (("XDG_STATE_HOME", state_dir()), ("XDG_CACHE_HOME", cache_dir())):
        if place and (folder.is_relative_to(place) or Path(place).is_relative_to(folder)):
            fix = f"export {variable}=a directory that can be written, with space left"
    if fix is None and error.errno in (errno.ENOSPC, errno.EDQUOT):
        # Which file it was, a write does not say.
        fix = f"make room: df -h {place or ''}".rstrip()
        fix += f"; records of runs are in {state_dir()} (XDG_STATE_HOME)" if not place else ""
    return ToolkitError(
        f"this machine refuses: {error.strerror or error}",
        where=place,
        fix=fix,
        exit_code=getattr(error, "exit_code", EXIT_REFUSED),
    )


def _base(variable: str, fallback: str) -> Path:
    chosen = os.environ.get(variable)
    return Path(chosen) if chosen else expanded(f"~/{fallback}")


def state_dir() -> Path:
    """Run records, locks and lab descriptions; kept until the user deletes them."""
    return _base("XDG_STATE_HOME", ".local/state") / "toolkit"


def cache_dir() -> Path:
    """Lab images and downloads; may be deleted at any time."""
    return _base("XDG_CACHE_HOME", ".cache") / "toolkit"
