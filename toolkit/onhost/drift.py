"""Files of the toolkit that are no longer as provision left them.

The roles list each file with a keyed digest on its host (ownership.py), so that any control machine
can check, and no content leaves the host.
"""

import os
import stat

from toolkit.onhost import ownership
from toolkit.onhost.lib import group_name, user_name


def drift():
    """Paths that are "missing", "changed" or of another "mode" than when they were written."""
    key, files = listed()
    found = {}
    for path, (digest, access) in sorted(files.items()):
        content = ownership.content_of(path)
        if content is None:
            found[path] = "changed" if os.path.lexists(path) else "missing"
        elif ownership.digest(key, content) != digest:
            found[path] = "changed"
        elif not os.path.islink(path) and access_now(path) != access:
            found[path] = "mode"
    return found


def listed():
    """The key of the digests, and path -> [digest, access] of every file that was written.

    Of none when there was no provision, when root alone may read the list, or when it is broken.
    """
    try:
        record = ownership.read()
    except (OSError, ownership.BrokenError):
        return "", {}
    key = record.get("key") or ownership.earlier_key()
    files = record["owned"]["files"] if record else ownership.earlier() or {}
    return key, {path: entry for path, entry in files.items() if entry is not ownership.ADOPTED}


def access_now(path):
    """Mode, owner and group as the list has them."""
    status = os.lstat(path)
    owner, group = user_name(status.st_uid), group_name(status.st_gid)
    return ownership.access(stat.S_IMODE(status.st_mode), owner, group)
