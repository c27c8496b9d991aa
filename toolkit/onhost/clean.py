"""Removes what is ours from a host that leaves its cluster, as root, and by its list alone.

What Airflow and its users have written stays unless `purge` is said: logs, copied DAGs, what tasks left. So
does what somebody changed: it is moved to strangers.BACKUPS. Each part can be done again after it was cut off.
"""

import os
import shutil
import subprocess
import time

from toolkit.onhost import drained, ownership, releases, strangers
from toolkit.onhost.control import run
from toolkit.onhost.lib import read

PLACES = ("/opt/airflow/", "/etc/airflow/", "/var/lib/airflow/", "/var/log/airflow/")
WEB = ("airflow-api-server.service", "airflow-webserver.service")
BUILT = ("/opt/airflow/releases", "/opt/airflow/cache")
"""Where only we make anything."""
COPIED = releases.RELEASES + "/none"
"""Where DAGs are that somebody copied."""


def main(payload):
    """What was removed and what stays; or what was in the way."""
    try:
        return clean(payload)
    except (OSError, ownership.BrokenError) as error:
        return {"error": str(error)}


def clean(payload):
    """The same, or an error of the system."""
    record = ownership.read()
    if not record:
        return {"error": "", "removed": {}, "stays": []}
    another = ownership.of_another(record, {"id": payload["id"]})
    if another:
        return {"error": "this host " + another}
    with ownership.changing() as found:
        removed = {
            "units": stop(found),
            "files": remove_files(found),
            "environments": remove_built(payload["purge"]),
        }
        if payload["purge"]:
            purge(found)
        stays = remove_directories(found)
        # Users own what stays.
        if not stays:
            remove_accounts(found)
        else:
            stays += found["owned"]["users"]
    drained.unmark()  # one that comes back is to work
    run("daemon-reload")
    if not stays:
        shutil.rmtree(ownership.DIRECTORY)
    return {"error": "", "removed": removed, "stays": stays}


def stop(found):
    """Stop our units, with the tasks that they have, and take them out of the boot."""
    units = found["owned"]["units"]
    # Tasks below a scheduler report to the web server until they have ended.
    for unit in sorted(units, key=lambda unit: unit in WEB):
        run("disable", unit)
        run("stop", unit)
    ownership.remove(found, "units", units)
    return units


def remove_files(found):
    """Remove our files and links; those that somebody changed are kept elsewhere."""
    files = found["owned"]["files"]
    place = strangers.BACKUPS + "/" + time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    there = [path for path in sorted(files) if is_there(path)]
    for path in there:
        if is_changed(found["key"], files[path], path):
            strangers.keep_one(path, place)
        os.remove(path)
    found["owned"]["files"] = {}
    return there


def is_there(path):
    """Whether a file or link of ours is where it has to be, not where a link of the service user's leads."""
    is_file = os.path.islink(path) or os.path.isfile(path)
    return is_file and is_here(os.path.dirname(path))


def is_changed(key, entry, path):
    """Whether a file is not as we wrote it."""
    content = ownership.content_of(path)
    return entry is not None and content is not None and ownership.digest(key, content) != entry[0]


def remove_built(everything):
    """Remove environments, and releases of DAGs but the folder for copied ones, if there are any."""
    built = [
        os.path.join(folder, name)
        for folder in (*BUILT, releases.RELEASES)
        for name in inside(folder)
    ]
    empty = not inside(COPIED)
    gone = [path for path in built if everything or empty or path != COPIED]
    for path in gone:
        remove_tree(path)
    return [os.path.basename(path) for path in gone if not path.startswith(BUILT[1])]


def inside(folder):
    """What is in a directory of this host's own; nothing of what is mounted there or leads elsewhere."""
    names = os.listdir(folder) if os.path.isdir(folder) and is_here(folder) else []
    mounted = [one + "/" for one in mounts()]
    return [
        name
        for name in names
        if not any(one.startswith(os.path.join(folder, name) + "/") for one in mounted)
    ]


def is_here(folder):
    """Whether no link of the service user's, and nothing that is mounted for Airflow, is on the way to a folder."""
    below = folder + "/"
    return os.path.realpath(folder) == folder and not any(
        below.startswith(one + "/") for one in mounts()
    )


def mounts():
    """What is mounted where Airflow's files are: it may be shared with other hosts."""
    lines = [line.split() for line in read("/proc/self/mounts").splitlines()]
    points = [words[1].replace("\\040", " ") for words in lines if len(words) > 1]
    return [one for one in points if (one + "/").startswith(PLACES)]


def remove_tree(path):
    """Remove a file, a link or a directory with all that is in it."""
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.remove(path)


def purge(found):
    """Remove all that is in our directories."""
    for path in found["owned"]["directories"]:
        for name in inside(path):
            remove_tree(os.path.join(path, name))


def remove_directories(found):
    """Remove our directories as far as they are empty; those that stay."""
    paths = found["owned"]["directories"]
    for path in sorted(paths, reverse=True):
        try:
            os.rmdir(path)
        except FileNotFoundError:
            pass
        except OSError:  # something is in it, or a disk is mounted there
            continue
        ownership.remove(found, "directories", [path])
    there = found["owned"]["directories"]
    return [path for path in there if not any(path.startswith(one + "/") for one in there)]


def remove_accounts(found):
    """Remove our users and groups."""
    for kind, command in (("users", "userdel"), ("groups", "groupdel")):
        for name in found["owned"][kind]:
            # A user's own group goes with it.
            subprocess.run([command, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)  # fmt: skip
        ownership.remove(found, kind, list(found["owned"][kind]))
