"""The list of what is ours on a host (cluster.json): reading, changing, and claiming a host.

Runs on the host: in the modules of role base, and in the toolkit's probe, which knows it as
toolkit/onhost/ownership.py. Standard library only, Python 3.6, and no import of ours.
"""

import contextlib
import fcntl
import hashlib
import hmac
import json
import os
import stat
import time

DIRECTORY = "/usr/local/lib/airflow-toolkit"
RECORD = DIRECTORY + "/cluster.json"
MANIFEST = DIRECTORY + "/manifest.json"  # of an earlier toolkit; its files are taken over
NAMES = ("units", "users", "groups", "directories", "packages", "databases")
"""What is listed by name; files are listed with their digests."""
ADOPTED = None  # in place of a file's digest: it is ours, and has not been written yet


class RefusedError(Exception):
    """The host is left as it is; says why, and what to do."""


class BrokenError(RefusedError):
    """The list cannot be read."""


def broken(path, why):
    """The error of a list that cannot be read."""
    return BrokenError(
        "%s is broken (%s), so nobody knows what is ours on this host; fix: restore it from a backup, or, where "
        "the host belongs to this cluster: sudo mv %s %s.broken, and provision again: what the toolkit wrote is "
        "recognised" % (path, why, path, path)
    )


def read(path=None):
    """The list of this host; {} where there is none. Raises BrokenError."""
    path = path or RECORD
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read().decode("utf-8"))
    except FileNotFoundError:
        return {}
    except (IsADirectoryError, ValueError, RecursionError) as error:
        raise broken(path, "no JSON: %s" % error) from None
    return checked(found, path)


def earlier():
    """The files (path -> [digest, access]) of a toolkit that kept no list; None where there was none."""
    if not os.path.isdir(DIRECTORY):
        return None
    try:
        with open(MANIFEST) as file:
            files = json.load(file).get("files", {})
            return {
                path: files[path] for path in files if path != MANIFEST and is_entry(files[path])
            }
    except (OSError, ValueError, AttributeError):
        return {}


def earlier_key():
    """The key of its digests; "" without one."""
    try:
        with open(MANIFEST) as file:
            return str(json.load(file)["key"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def checked(found, path):
    """The list, if it has the form that it is written in. Raises BrokenError."""
    owned = found.get("owned", {}) if isinstance(found, dict) else None
    parts = (
        [found.get(name, {}) for name in ("cluster", "provisioned")] if owned is not None else []
    )
    if not isinstance(owned, dict) or not all(isinstance(part, dict) for part in parts):
        raise broken(path, "it is no list of ours")
    files = owned.get("files", {})
    if not isinstance(files, dict) or not all(is_entry(entry) for entry in files.values()):
        raise broken(path, "owned.files has no digests")
    for name in NAMES:
        values = owned.get(name, [])
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise broken(path, "owned.%s is no list of names" % name)
    return found


def is_entry(entry):
    """Whether a file's entry is what `state` makes, or ADOPTED."""
    return entry is ADOPTED or (
        isinstance(entry, list) and len(entry) == 2 and all(isinstance(part, str) for part in entry)
    )


def complete(found):
    """The list with every part that it can have; what others wrote into it stays."""
    found.setdefault("key", hashlib.sha256(os.urandom(32)).hexdigest())
    found.setdefault("cluster", {"id": "", "name": ""})
    found.setdefault("provisioned", {})
    owned = found.setdefault("owned", {})
    owned.setdefault("files", {})
    for name in NAMES:
        owned.setdefault(name, [])
    return found


@contextlib.contextmanager
def changing(path=None):
    """The list to be changed, written as a whole at the end when it differs. Raises BrokenError."""
    path = path or RECORD
    directory = os.path.dirname(path)
    os.makedirs(directory, exist_ok=True)
    if directory == DIRECTORY:  # programs of ours are run from there by others than root
        os.chmod(directory, 0o755)
    lock = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = read(path)
        before = json.dumps(found, sort_keys=True)
        complete(found)
        yield found
        if json.dumps(found, sort_keys=True) != before:
            write(found, path)
    finally:
        os.close(lock)


def write(found, path):
    """Replace the list; it is there as a whole or not at all, and root's alone."""
    new = path + ".new"
    if os.path.lexists(new):
        os.unlink(new)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(json.dumps(found, sort_keys=True, indent=1) + "\n")
    os.replace(new, path)


def add(found, kind, names):
    """Put names on the list."""
    found["owned"][kind] = sorted({*found["owned"][kind], *names})


def remove(found, kind, names):
    """Take names off the list."""
    found["owned"][kind] = sorted({*found["owned"][kind]} - {*names})


# Digests


def digest(key, content):
    """Keyed digest of a content, so that it can be compared and not guessed."""
    return hmac.new(key.encode("ascii"), content, hashlib.sha256).hexdigest()


def content_of(path):
    """A file's content as bytes, or where a link leads; None where there is neither."""
    try:
        mode = os.lstat(path).st_mode
        if stat.S_ISLNK(mode):
            return os.fsencode(os.readlink(path))
        if not stat.S_ISREG(mode):
            return None
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None


def access(mode, owner, group):
    """Mode and names as the list has them."""
    return "%o %s %s" % (mode, owner, group)


# Whose host it is


def of_another(found, cluster):
    """Why a host is not this cluster's, in one sentence; "" when it may be.

    `cluster` has the id that the inventory gives it, or "".
    """
    theirs = found.get("cluster", {})
    if not theirs.get("id") or theirs["id"] == cluster.get("id"):
        return ""
    last = found.get("provisioned", {})
    where = ", from %s" % last["from"] if last.get("from") else ""
    by = (
        "; %s provisioned it last%s, at %s" % (last["by"], where, last.get("at"))
        if last.get("by")
        else ""
    )
    mine = "this inventory has %s" % (
        "another base_cluster_id" if cluster.get("id") else "no base_cluster_id yet"
    )
    return "belongs to cluster %s (id %s)%s; %s" % (
        theirs.get("name") or "?",
        theirs["id"],
        by,
        mine,
    )


def now():
    """The time as the list has it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
