"""The filesystems of paths, and folders that user airflow cannot read."""

import os
import pwd


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


def closed(path):
    """The directory that keeps user airflow from a folder: itself or one above it; "" for none.

    What is not there is made or filled later, so only what is there counts.
    """
    needed = 0o5  # of the folder itself; those above have to be passed only
    while path and path != "/":
        if os.path.isdir(path) and not permits(os.stat(path), needed):
            return path
        path, needed = os.path.dirname(path.rstrip("/")), 0o1
    return ""


def permits(found, needed):
    """Whether a directory's mode lets user airflow do what it needs."""
    mode = found.st_mode
    try:
        user = pwd.getpwnam("airflow")
    except KeyError:
        return mode & needed == needed
    shift = 6 if found.st_uid == user.pw_uid else 3 if found.st_gid == user.pw_gid else 0
    return mode >> shift & needed == needed
