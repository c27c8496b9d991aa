"""Releases of deployed DAGs on a host: which there are, what a new one lacks; receive, switch, remove.

Starts as root. What is written below Airflow's home is written as its user, who could lead root elsewhere
there. A release is complete from the moment it has its name: before, its name begins with a dot.
"""

import contextlib
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time
import zlib
from base64 import b64encode

from toolkit.onhost import drained, ownership, releases
from toolkit.onhost.lib import become, read, show

MODULES = "/usr/local/lib/airflow-toolkit/python"
IGNORED = ".airflowignore"
MANIFEST = ".toolkit-release.json"
"""Of a release: who made it of what, and its files. Written last of all."""
SWITCHED = ".toolkit-switched.json"
"""Of a release that was current: since when, by whom, which was before it, and since when its plugins are those."""
PLUGINS = "plugins/"
BROKEN = (OSError, EOFError, ValueError, TypeError, tarfile.TarError, zlib.error)
"""What a disk that is full raises, or a tar that was cut off or changed."""
RECEIVED = ".toolkit-received"
"""Contents that have come, by their digest, until each is at its place."""


def main(payload):
    """Do what payload["action"] says."""
    return ACTIONS[payload["action"]](payload)


# What there is


def inspect(payload):
    """Releases, the current one, free space, and which contents of payload["files"] are not here.

    `stale` are those of payload["units"] that have run since before the current release's plugins were there.
    """
    if not os.path.exists(MODULES + "/airflow_toolkit_releases.py"):
        return {"ready": False}
    # As root, which systemd answers without D-Bus as well.
    began = show(payload["units"], "ActiveState", "ActiveEnterTimestampMonotonic")
    become("airflow")
    known = Known()
    wanted = payload.get("files", [])
    there = os.path.isdir(releases.RELEASES)
    return {
        "ready": True,
        "current": releases.current(),
        "folder": leads_to(releases.CURRENT),
        "files": fingerprints(known.manifests.get(releases.current(), {"files": []})["files"]),
        "releases": [described(manifest) for manifest in known.manifests.values()],
        "lacks": sorted({one["sha256"] for one in wanted if "sha256" in one and not known.has(one)}),
        "free": free_bytes(releases.RELEASES) if there else 0,
        "stale": stale(began),
    }  # fmt: skip


def fingerprints(files):
    """Path -> what makes a file the same, of a manifest's lines; the control machine calls it as well."""
    return {one["path"]: one.get("link") or "%s %s" % (one["mode"], one["sha256"]) for one in files}


def leads_to(link):
    """Where a link leads; "" for anything else."""
    try:
        return os.readlink(link)
    except OSError:
        return ""


def free_bytes(path):
    """What the service user may still write there."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def described(manifest):
    """A release without its files, and with what became of it."""
    found = {name: value for name, value in manifest.items() if name != "files"}
    return dict(found, switched=loaded(os.path.join(releases.folder(found["id"]), SWITCHED)))


def loaded(path):
    """A JSON object of ours; None where there is none that can be read."""
    try:
        with open(path) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


class Known:
    """The contents that releases of this host have: digest -> files, looked at when they are needed."""

    def __init__(self):
        self.manifests = {}
        self.places = {}
        self.right = {}
        for name in sorted(names()):
            manifest = loaded(os.path.join(releases.folder(name), MANIFEST))
            if manifest and manifest.get("id") == name:
                self.manifests[name] = manifest
                for one in manifest["files"]:
                    if "sha256" in one:
                        path = os.path.join(releases.folder(name), one["path"])
                        self.places.setdefault(one["sha256"], []).append((one["mode"], path))

    def has(self, wanted):
        """Whether the content of a file is here."""
        return self.place(wanted["sha256"], wanted["mode"]) is not None

    def place(self, digest, mode):
        """A file with a content, of that mode where there is one: (mode, path), or None.

        Somebody may have changed it meanwhile, so its digest is computed; once for each.
        """
        places = sorted(self.places.get(digest, ()), key=lambda place: place[0] != mode)
        return next((place for place in places if self.is_right(digest, place[1])), None)

    def is_right(self, digest, path):
        """Whether a file has a content."""
        if path not in self.right:
            self.right[path] = digest_of(path) == digest
        return self.right[path]


def names():
    """The names of folders of releases; those with a dot are not complete."""
    try:
        return [name for name in os.listdir(releases.RELEASES) if not name.startswith(".")]
    except OSError:
        return []


def digest_of(path):
    """The SHA-256 of a regular file; "" where there is none."""
    found = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return ""
            for chunk in iter(lambda: file.read(1 << 20), b""):
                found.update(chunk)
    except OSError:
        return ""
    return found.hexdigest()


# Receive


def receive(payload):
    """Build a release from what is here and from a tar of contents on standard input.

    The answer has an error where that is not possible; nothing is left behind then.
    """
    manifest = payload["manifest"]
    become("airflow")
    os.umask(0o022)
    staging = releases.RELEASES + "/." + manifest["id"]
    try:
        for name in os.listdir(releases.RELEASES):
            if name.startswith("."):  # of a run that was killed: the lease lets in one at a time
                remove_tree(os.path.join(releases.RELEASES, name))
        os.makedirs(os.path.join(staging, RECEIVED))
        unpack(os.path.join(staging, RECEIVED))
        build(manifest, staging)
    except BROKEN as error:
        remove_tree(staging)
        return {"error": getattr(error, "strerror", None) or str(error)}
    return {"error": ""}


def unpack(directory):
    """Store each member of the tar by its name, which is its digest. Raises ValueError for another content."""
    with tarfile.open(fileobj=sys.stdin.buffer, mode="r|gz") as members:
        for member in members:
            name = os.path.basename(member.name)
            path = os.path.join(directory, name)
            with open(path, "wb") as file:
                shutil.copyfileobj(members.extractfile(member), file, 1 << 20)
            if digest_of(path) != name:
                raise ValueError("a file has changed on the way to this host")


def build(manifest, staging):
    """Put every file at its place, then the manifest, then give the release its name."""
    known = Known()
    for one in manifest["files"]:
        path = os.path.join(staging, one["path"])
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if "link" in one:
            os.symlink(one["link"], path)
        else:
            put(one, path, known, os.path.join(staging, RECEIVED))
    shutil.rmtree(os.path.join(staging, RECEIVED))
    with open(os.path.join(staging, MANIFEST), "w") as file:
        json.dump(manifest, file)
    for directory, _, _ in os.walk(staging):
        os.chmod(directory, 0o755 if directory == staging else 0o555)
    # Whole on the disk before it has its name: a host may lose power at any moment.
    subprocess.run(["sync", "-f", staging], check=False)
    target = releases.folder(manifest["id"])
    if os.path.lexists(target):  # one that is not whole: it would not have been sent
        remove_tree(target)
    os.rename(staging, target)


def put(one, path, known, received):
    """One file: the same file as in an earlier release where mode and content are the same, else a new one."""
    mode = int(one["mode"], 8)
    source = os.path.join(received, one["sha256"])
    if not os.path.exists(source):
        place = known.place(one["sha256"], one["mode"])
        if place is None:
            raise ValueError("%s has not come" % one["path"])
        if place[0] == one["mode"]:
            os.link(place[1], path)
            return
        source = place[1]
    shutil.copyfile(source, path)
    os.chmod(path, mode)


def remove_tree(path):
    """Remove a folder of ours, whose folders may not be written to."""
    if os.path.islink(path) or os.path.isfile(path):
        os.unlink(path)
        return
    for directory, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            os.chmod(directory, 0o755)
    shutil.rmtree(path, ignore_errors=True)


# Switch


def switch(payload):
    """Make a release the current one; what was current goes on to be there. The answer has an error where it cannot."""
    try:
        return switched(payload)
    except OSError as error:
        return {"error": error.strerror or str(error)}


def switched(payload):
    """The same, or an exception."""
    former, folder = releases.current(), releases.folder(payload["id"])
    if not os.path.exists(os.path.join(folder, MANIFEST)):
        return {"error": "release %s is not on this host" % payload["id"]}
    if payload["versioned"]:
        ignore_copies()
    become("airflow")
    # Airflow parses a file at once that is newer than its last parse; one of the file before may be under way.
    soon = time.time() + 2
    for path in payload["touched"]:
        with contextlib.suppress(OSError):
            os.utime(os.path.join(folder, path), (soon, soon))
    note_switch(payload["id"], payload["switched"], former, back=payload["back"])
    lead(releases.RELEASE, "releases/" + payload["id"])
    if leads_to(releases.CURRENT) != releases.THROUGH:
        lead(releases.CURRENT, releases.THROUGH)
    return {"error": "", "former": former}


def note_switch(release, switched, former, back):
    """Since when a release is current, and which was before it.

    A way back leaves the latter as it was: two of them do not go back and forth.
    """
    path = os.path.join(releases.folder(release), SWITCHED)
    known = loaded(path) or {}
    found = dict(known, **switched)
    if "former" not in known or not (back or former == release):
        found["former"] = former
    # As what was current has it, unless the plugins differ: a restart that is due stays due.
    before = loaded(os.path.join(releases.folder(former), SWITCHED)) if former else None
    found["plugins"] = (
        (before or {}).get("plugins") if plugins(former) == plugins(release) else moment()
    )
    with open(path + ".new", "w") as file:
        json.dump(found, file)
    os.replace(path + ".new", path)


def plugins(release):
    """What makes the plugins of a release the same; of none, nothing."""
    manifest = loaded(os.path.join(releases.folder(release), MANIFEST)) if release else None
    found = fingerprints((manifest or {"files": []})["files"])
    return {path: value for path, value in found.items() if path.startswith(PLUGINS)}


def moment():
    """Now, by the clock that systemd's times have, which nobody can set."""
    return {"boot": boot(), "at": time.clock_gettime(time.CLOCK_MONOTONIC)}


def boot():
    """Which start of the machine it is."""
    return read("/proc/sys/kernel/random/boot_id").strip()


def stale(units):
    """The names of those of these units that began before the current release's plugins were there.

    A worker that a rolling restart drained, and did not come to start, is one of them.
    """
    if (drained.drained() or {}).get("why") == "restart":
        units = [
            dict(one, ActiveState="active") if one["Id"] == drained.UNIT else one for one in units
        ]
    current = releases.current()
    switched = loaded(os.path.join(releases.folder(current), SWITCHED)) if current else None
    since = (switched or {}).get("plugins")
    if not since or since["boot"] != boot():
        return []
    return [one["Id"] for one in units if one["ActiveState"] == "active"
            and int(one["ActiveEnterTimestampMonotonic"]) / 1e6 < since["at"]]  # fmt: skip


def lead(link, target):
    """Have a link lead elsewhere, at once."""
    new = link + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(new)
    os.symlink(target, new)
    os.replace(new, link)


def ignored(names):
    """Lines of .airflowignore that pass over these folders, as `ignored_dags` in roles/airflow writes them."""
    return [line for name in names for line in ("^%s(/|$)" % name, "/[!x]%s/" % name[1:])]


def ignore_copies():
    """Have Airflow 3's own bundle pass over DAGs that somebody copied.

    As root, so that it is the file that provision writes; in a directory of the service user's, so nothing there is
    read, and no link there is followed.
    """
    text = "\n".join(ignored(["releases", "release", "current"])) + "\n"
    path = releases.DAGS + "/" + IGNORED
    with ownership.changing() as found:
        if path in found["owned"]["files"]:
            access = ownership.access(0o644, "root", "root")
            digest = ownership.digest(found["key"], text.encode("utf-8"))
            found["owned"]["files"][path] = [digest, access]
    directory = os.open(releases.DAGS, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        new = IGNORED + ".new"
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new, dir_fd=directory)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(new, flags, 0o644, dir_fd=directory), "w") as file:
            os.fchmod(file.fileno(), 0o644)
            file.write(text)
        os.rename(new, IGNORED, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)


# Remove


def remove(payload):
    """Remove releases; never the current one."""
    become("airflow")
    gone = [name for name in names() if name in payload["ids"] and name != releases.current()]
    for name in gone:
        # It loses its name first: what is left of it is no release.
        hidden = releases.RELEASES + "/." + name
        os.rename(releases.folder(name), hidden)
        remove_tree(hidden)
    return {"removed": gone}


# Give to another host


def give(payload):
    """A release with the contents of its files, in base64."""
    become("airflow")
    manifest = Known().manifests.get(payload["id"])
    if manifest is None:
        return {"error": "release %s is not on this host" % payload["id"]}
    if payload["contents"]:
        for one in manifest["files"]:
            if "sha256" in one:
                with open(os.path.join(releases.folder(manifest["id"]), one["path"]), "rb") as file:
                    one["content"] = b64encode(file.read()).decode("ascii")
    return {"error": "", "manifest": manifest}


ACTIONS = {"inspect": inspect, "receive": receive, "give": give, "switch": switch, "remove": remove}
