"""The filesystems of paths, and what user airflow cannot read or write."""

import os
import pwd
import shutil
import subprocess

from toolkit.onhost.ownership import RECORD


def path_facts(path):
    """The filesystem that a path is on, or will be on once it is made."""
    existing = path
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    status = os.statvfs(existing)
    megabyte = 1024 * 1024
    return {
        "path": path,
        "exists": existing == path,
        "device": os.stat(existing).st_dev,
        "mount": mount_of(existing),
        "free_mb": status.f_bavail * status.f_frsize // megabyte,
        "total_mb": status.f_blocks * status.f_frsize // megabyte,
        # Some filesystems, such as btrfs, have no fixed number of inodes and report 0.
        "free_inodes": status.f_favail if status.f_files else None,
        "read_only": bool(status.f_flag & os.ST_RDONLY),
        "noexec": bool(status.f_flag & os.ST_NOEXEC),
    }


def mount_of(path):
    """The mount point above a path."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


READ, WRITE = "r", "w"


def blocked(paths, needs):
    """What keeps user airflow from paths: path -> itself or a directory above it.

    What is not there is made later, so only the directories above it count.
    """
    found = {path: blocker(path, needs) for path in paths}
    return {path: above for path, above in found.items() if above}


def blocker(path, needs):
    """The directory or file that keeps user airflow from one path; "" for none."""
    path = os.path.normpath(os.path.join("/", path))
    there = path
    while not os.path.lexists(there):
        there = os.path.dirname(there)
    closed = next((one for one in parents(there) if not may(one, "x")), "")
    if closed or there != path:
        return closed or ("" if may(there, "x") else there)
    letters = needs + "x" * os.path.isdir(there)
    return "" if may(there, letters) else there


def parents(path):
    """The directories above a path, the root first."""
    above = os.path.dirname(path)
    if above != path:
        for one in parents(above):
            yield one
        yield above


def service_user():
    """User airflow's entry in the user database; None where the host has no such user."""
    try:
        return pwd.getpwnam("airflow")
    except KeyError:
        return None


def permits(path, needed):
    """Whether a path's mode lets user airflow do what it needs; a link to what is not there says nothing."""
    if not os.path.exists(path):
        return True
    found = os.stat(path)
    user = service_user()
    if user is None:
        return found.st_mode & needed == needed
    shift = 6 if found.st_uid == user.pw_uid else 3 if found.st_gid == user.pw_gid else 0
    return found.st_mode >> shift & needed == needed


def runs_as_user():
    """Whether a process of user airflow may be started: of ours, and on a host that has that user.

    One of somebody else's user of that name would look like one that stands in the way. A host of
    servers only is ours without having the user.
    """
    ours = os.path.exists(RECORD) and service_user() is not None
    return ours and os.geteuid() == 0 and shutil.which("setpriv") is not None


def may(path, letters):
    """Whether user airflow may do with a path what letters of test(1) say."""
    if not runs_as_user():
        return permits(path, sum({"r": 4, "w": 2, "x": 1}[letter] for letter in letters))
    # Tried as that user, because access lists and further groups count as well.
    script = " && ".join('[ -%s "$1" ]' % letter for letter in letters) or ":"
    command = [
        "setpriv",
        "--reuid=airflow",
        "--regid=airflow",
        "--init-groups",
        "sh",
        "-c",
        script,
        "sh",
        path,
    ]
    return (
        subprocess.call(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        == 0
    )
