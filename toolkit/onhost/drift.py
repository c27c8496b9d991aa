"""Files of the toolkit that are no longer as provision left them.

`record` is run at the end of a provision and keeps a keyed digest of every file on the host, so
that any control machine can check, and no content leaves the host.
"""

import glob
import hashlib
import hmac
import json
import os
import stat

from toolkit.onhost.lib import group_name, user_name

MANIFEST = "/usr/local/lib/airflow-toolkit/manifest.json"


def record(payload):
    """Write down how the files are now; the key stays, so that nothing changes without a reason."""
    if not os.path.isdir(os.path.dirname(MANIFEST)):
        return {"files": 0}
    key = manifest().get("key") or hashlib.sha256(os.urandom(32)).hexdigest()
    found = {path: state(path, key) for path in present(payload["files"])}
    text = json.dumps({"key": key, "files": found}, sort_keys=True) + "\n"
    temporary = MANIFEST + ".new"
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    os.replace(temporary, MANIFEST)
    return {"files": len(found)}


def drift():
    """Paths that are "missing", "changed" or of another "mode" than at the last provision."""
    written = manifest()
    found = {}
    for path, (digest, access) in sorted(written.get("files", {}).items()):
        if not os.path.lexists(path):
            found[path] = "missing"
            continue
        now = state(path, written["key"])
        if now[0] != digest:
            found[path] = "changed"
        elif now[1] != access:
            found[path] = "mode"
    return found


def manifest():
    """What the last provision wrote down; {} when there was none, or root alone may read it."""
    try:
        with open(MANIFEST) as file:
            return json.load(file)
    except (OSError, ValueError):
        return {}


def present(patterns):
    """The toolkit's files that are there."""
    paths = {path for pattern in patterns for path in glob.glob(pattern)}
    return sorted(path for path in paths if not os.path.isdir(path) or os.path.islink(path))


def state(path, key):
    """Keyed digest of a file's content (or of where a link leads), and "mode owner group"."""
    status = os.lstat(path)
    digest = hmac.new(key.encode("ascii"), digestmod=hashlib.sha256)
    if stat.S_ISLNK(status.st_mode):
        digest.update(os.readlink(path).encode("utf-8", "surrogateescape"))
    elif path != MANIFEST:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    owner = user_name(status.st_uid), group_name(status.st_gid)
    return [digest.hexdigest(), "%o %s %s" % (stat.S_IMODE(status.st_mode), *owner)]
