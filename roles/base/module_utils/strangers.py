"""What stood on a host before us, where we want to put something of our own; and its adoption.

Runs on the host beside ownership.py, under the same terms. `wanted` is what
roles/base/filter_plugins/ownership_plan.py makes of the roles' tables.
"""

import fnmatch
import glob
import grp
import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
import time

BACKUPS = "/var/backups/airflow-toolkit"
UNITS = "/etc/systemd/system"
UNIT_DIRECTORIES = [UNITS, "/run/systemd/system", "/run/systemd/transient", "/usr/local/lib/systemd/system",
                    "/usr/lib/systemd/system", "/lib/systemd/system"]  # fmt: skip
SCRIPTS = "/etc/init.d"
"""Of each script there systemd makes a unit, unless a file of that unit's name hides it."""
OURS_IN_UNIT = ("\nSlice=airflow.slice\n", "\nEnvironmentFile=/etc/airflow/airflow.env\n")
"""Lines of every unit that an earlier toolkit wrote."""
FORMS = re.compile(r"(/\S.*|(user|group):\S+|\S+\.(service|slice))$")
"""What an entry of base_adopt looks like."""
SHOWN = 4  # entries of a directory, processes of a user


def thing(name, what, fix=""):
    """Something that is in the way. `fix` is "" where naming it in base_adopt takes it over."""
    return {"name": name, "what": what, "fix": fix}


def owned_here(record, earlier, wanted):
    """What is ours on this host: by the list, else what an earlier toolkit left.

    `earlier` is ownership.earlier().
    """
    listed = dict({name: [] for name in ("units", "users", "groups", "directories")}, files={})
    if record:
        return dict(listed, **record.get("owned", {}))
    return listed if earlier is None else taken_over(wanted, earlier)


def strangers(wanted, owned, logins):
    """All that is in the way on this host.

    `owned` is what `owned_here` says; `logins` are names of the user whom the control
    machine signs in as.
    """
    found = [*users(wanted, owned, logins), *groups(wanted, owned)]
    found += [*directories(wanted, owned), *links(wanted, owned)]
    return [*found, *files(wanted, owned), *units(wanted, owned)]


def refused(things, adopted):
    """Those that base_adopt does not take over, without what lies within another of them."""
    found = [one for one in things if one["fix"] or not is_adopted(one["name"], adopted)]
    return outermost(found)


def outermost(things):
    """Things without those that lie within another that could be taken over."""
    outer = [one["name"] for one in things if one["name"].startswith("/") and not one["fix"]]
    return [
        one
        for one in things
        if one["fix"] or not any(is_below(one["name"], path) for path in outer)
    ]


def is_below(path, directory):
    """Whether a path lies within a directory, at any depth."""
    return path.startswith(directory.rstrip("/") + "/")


def is_adopted(name, adopted):
    """Whether a list names something, or a directory above it."""
    return any(name == one or is_below(name, one) for one in adopted)


# Users and groups


def users(wanted, owned, logins):
    """Users of that name who are not ours, and those who cannot be changed now."""
    for name, want in wanted["users"].items():
        if name in logins:
            yield thing("user:" + name,
                        "%s is the user whom Airflow's units run as, and you sign in as %s" % (name, name),
                        "sign in as another user with sudo (ansible_user)")  # fmt: skip
            continue
        user = user_of(name)
        if user is None:
            continue
        differs = (user.pw_dir, user.pw_shell) != (want["home"], want["shell"])
        running = processes(user.pw_uid) if user.pw_dir != want["home"] else []
        if running:
            then = (
                ""
                if name in owned["users"]
                else ", then take the user over: base_adopt: [user:%s]" % name
            )
            yield thing("user:" + name,
                        "user %s is there already, with the home %s, which cannot become %s while its processes run: %s"
                        % (name, user.pw_dir, want["home"], some(running)),
                        "stop them first" + then)  # fmt: skip
        elif differs and not is_local(name):
            yield thing("user:" + name,
                        "user %s is no user of this host's /etc/passwd, and has the home %s and the shell %s"
                        % (name, user.pw_dir, user.pw_shell),
                        "give that user, where it is kept, the home %s and the shell %s" % (want["home"], want["shell"]))  # fmt: skip
        elif differs and name not in owned["users"]:
            yield thing("user:" + name, "user %s is there already (uid %d, home %s, shell %s)%s"
                        % (name, user.pw_uid, user.pw_dir, user.pw_shell, installation(user.pw_dir)))  # fmt: skip


def groups(wanted, owned):
    """Groups of that name that are not ours; the own group of a user goes with the user."""
    for name in wanted["groups"]:
        group, user = group_of(name), user_of(name)
        if group is None or name in owned["groups"] or (user and user.pw_gid == group.gr_gid):
            continue
        members = " with the members " + some(group.gr_mem) if group.gr_mem else ""
        yield thing("group:" + name, "group %s is there already (gid %d)%s; its members would read Airflow's secrets or write its DAGs"
                    % (name, group.gr_gid, members))  # fmt: skip


def user_of(name):
    """The user of that name, or None."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        return None


def group_of(name):
    """The group of that name, or None."""
    try:
        return grp.getgrnam(name)
    except KeyError:
        return None


def is_local(name):
    """Whether a user is one of /etc/passwd, which usermod can change."""
    return bool(re.search("^%s:" % re.escape(name), text_of("/etc/passwd"), re.M))


def processes(uid):
    """Processes of a user, as "name (pid N)"."""
    found = []
    for path in glob.glob("/proc/[0-9]*/status"):
        status = text_of(path)
        if (
            re.search(r"^Uid:\t(\d+)", status, re.M)
            and int(re.search(r"^Uid:\t(\d+)", status, re.M).group(1)) == uid
        ):
            found.append(
                "%s (pid %s)" % (status.partition("\n")[0].partition("\t")[2], path.split("/")[2])
            )
    return found


def installation(home):
    """What to say of another Airflow in a user's home; "" without one."""
    for path in (home + "/airflow/airflow.cfg", home + "/airflow.cfg"):
        if os.path.isfile(path):
            return (
                "; %s is another Airflow's, whose commands would no longer find it by the home"
                % path
            )
    return ""


# Files


def directories(wanted, owned):
    """Directories with something in them that are not ours."""
    for path in wanted["directories"]:
        if path in owned["directories"] or not os.path.lexists(path):
            continue
        if os.path.islink(path) or not os.path.isdir(path):
            yield thing(path, "%s is no directory" % path,
                        "move it away; for a directory on another disk, mount it there")  # fmt: skip
            continue
        there = sorted(set(os.listdir(path)) - {"lost+found"} - inner(path, wanted["directories"]))
        # Within one of ours it is a role's own, of which earlier releases had no need to ask.
        if there and not is_adopted(path, owned["directories"]):
            yield thing(path, "directory %s is there already, with %s" % (path, some(there)))


def inner(path, wanted):
    """Names of those entries that are directories of ours to be, which are looked at by themselves."""
    return {os.path.basename(one) for one in wanted if os.path.dirname(one) == path}


def links(wanted, owned):
    """Whatever is where a link of ours is put; without a target none is."""
    for path, target in wanted["links"].items():
        if not target or not os.path.lexists(path):
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            yield thing(path, "%s is a directory, and a link of ours belongs there" % path,
                        "sudo mv %s %s.before" % (path, path))  # fmt: skip
        elif path not in owned["files"] and leads_to(path) != leads(target):
            yield thing(path, "%s is there already%s" % (path, leads_to(path)))


def files(wanted, owned):
    """Files at our paths that are not ours, unless they are just what we would write."""
    for entry in wanted["files"]:
        for path in glob.glob(entry["path"]) or [entry["path"]]:
            if path in owned["files"] or not os.path.lexists(path):
                continue
            if not entry.get("sha256") or sha256(path) != entry["sha256"]:
                yield thing(path, "%s is there already%s" % (path, leads_to(path)))


def leads_to(path):
    """Where a link leads, as a part of a sentence."""
    return leads(os.readlink(path)) if os.path.islink(path) else ""


def leads(target):
    """The same of a target."""
    return ", a link to " + target


def sha256(path):
    """Digest of a regular file; "" of anything else."""
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return ""
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError:
        return ""


def text_of(path):
    """A file's text, "" when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def some(names):
    """A few of some names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (" and %d more" % more if more > 0 else "")


# Units


def units(wanted, owned):
    """Units of those names that are not ours, wherever systemd finds them."""
    for name in wanted["units"]:
        paths = unit_files(name)
        if name in owned["units"] or not paths:
            continue
        user = re.search(r"^User=(\S+)", text_of(paths[0]), re.M)
        yield thing(name, "unit %s is there already (%s%s, %s)%s" % (
            name, paths[0], ", User=" + user.group(1) if user else "", state_of(name), leads_to(paths[0])))  # fmt: skip


def unit_files(name):
    """The files of a unit, the one that counts first."""
    found = [os.path.join(directory, name) for directory in UNIT_DIRECTORIES]
    found.append(os.path.join(SCRIPTS, re.sub(r"\.service$", "", name)))
    return [path for path in found if os.path.lexists(path)]


def state_of(name):
    """Whether a unit runs, in systemd's word."""
    try:
        done = subprocess.run(["systemctl", "is-active", "--", name], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, timeout=4, check=False)  # fmt: skip
        return done.stdout.decode("ascii", "replace").strip() or "unknown"
    except (OSError, subprocess.SubprocessError):
        return "unknown"


# What an earlier toolkit left


def taken_over(wanted, manifest):
    """What is ours on a host of a toolkit that kept no list: by its manifest, and by what it wrote.

    `manifest` has the files that it wrote down; without one, its provision did not come to its end.
    """
    ours = set(manifest) | {
        path
        for entry in wanted["files"]
        for path in glob.glob(entry["path"])
        if is_marked(entry, path)
    }
    kept = [name for name in wanted["known_units"]
            if all(line in text_of(os.path.join(UNITS, name)) for line in OURS_IN_UNIT)]  # fmt: skip
    kept += [
        name
        for name, mark in wanted["marked_units"].items()
        if mark in text_of(os.path.join(UNITS, name))
    ]
    made = [path for path in wanted["directories"] if wanted["directories_by"] in ours]
    mine = [name for name, want in wanted["users"].items()
            if user_of(name) and user_of(name).pw_dir == want["home"]]  # fmt: skip
    own = [
        name for name in wanted["groups"] if group_of(name) and (name in mine or not user_of(name))
    ]
    ours |= {path for path in wanted["links"] if made and os.path.islink(path)}
    ours |= {os.path.join(UNITS, name) for name in kept}
    return {"files": {path: manifest.get(path) for path in sorted(ours)}, "units": sorted(kept),
            "users": mine, "groups": own, "directories": made}  # fmt: skip


def is_marked(entry, path):
    """Whether a file is one that an earlier toolkit wrote: named after it, or with words of it."""
    by_name = "airflow-toolkit" in path
    return by_name or bool(entry.get("mark") and entry["mark"] in text_of(path))


# Adoption


def malformed(adopted):
    """Those entries of base_adopt that can name nothing."""
    return [one for one in adopted if not FORMS.match(one)]


def known(adopted, wanted):
    """Those that name something which this host gets; others are of other hosts."""
    names = {*wanted["directories"], *wanted["links"], *wanted["units"]}
    names |= {"user:" + name for name in wanted["users"]}
    names |= {"group:" + name for name in wanted["groups"]}
    patterns = [entry["path"] for entry in wanted["files"]]
    return [
        one
        for one in adopted
        if one in names or any(fnmatch.fnmatchcase(one, pattern) for pattern in patterns)
    ]


def keep(names):
    """Keep copies of what is adopted, with mode and owner, all in one directory; returns name -> where it is.

    Raises OSError where there is no room, or something cannot be copied.
    """
    place = os.path.join(BACKUPS, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))
    return {name: keep_one(name, place) for name in names}


def keep_one(name, place):
    """Keep a copy of one thing below `place`; returns where it is. Raises OSError as keep() does."""
    for directory in (BACKUPS, place):
        os.makedirs(directory, 0o700, exist_ok=True)
    kind, _, who = name.partition(":")
    if who:
        return keep_account(who, os.path.join(place, kind + "-" + who))
    path = name if name.startswith("/") else (unit_files(name) or [""])[0]
    target = place + path
    os.makedirs(os.path.dirname(target), 0o700, exist_ok=True)
    refuse_full(path, place)
    done = subprocess.run(["cp", "-a", "-T", "--", path, target], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)  # fmt: skip
    if done.returncode:
        raise OSError(
            "%s cannot be copied to %s: %s"
            % (path, target, done.stdout.decode("utf-8", "replace").strip())
        )
    return target


def keep_account(name, target):
    """Write down a user's or group's lines."""
    lines = [line for file in ("/etc/passwd", "/etc/group") for line in text_of(file).splitlines()
             if line.startswith(name + ":")]  # fmt: skip
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("".join(line + "\n" for line in lines))
    return target


def refuse_full(path, place):
    """Refuse a copy that would fill the disk."""
    needed = size(path)
    if needed * 2 > shutil.disk_usage(place).free:
        raise OSError("%s has %d MB, and there is no room for a copy of it in %s; fix: move it away"
                      % (path, needed >> 20, BACKUPS))  # fmt: skip


def size(path):
    """Bytes of a file, or of all files of a directory."""
    found = os.lstat(path).st_size
    for directory, _, names in os.walk(path):
        found += sum(os.lstat(os.path.join(directory, name)).st_size for name in names)
    return found
