"""The package manager: what it left half done, who holds its lock, servers it installed."""

import fnmatch
import os
import re
import shutil

from toolkit.onhost.lib import output, read
from toolkit.onhost.processes import links, process

MANAGERS = ["apt-get", "dnf", "zypper", "apk", "pacman"]
LOCKS = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
]


def packages(servers):
    """The package manager: what it left half done, who holds its lock, servers it installed.

    `servers` are patterns of their names.
    """
    manager = next((name for name in MANAGERS if shutil.which(name)), "")
    if manager == "dnf":
        unfinished, installed = [], rpm_packages()
    else:
        unfinished, installed = package_states(read("/var/lib/dpkg/status"))
    return {
        "manager": manager,
        "unfinished": unfinished,
        "servers": {name: installed[name] for name in installed if is_one_of(name, servers)},
        "lock": package_lock(),
    }


def package_states(status):
    """From dpkg's status file: packages left half done, and those installed with their versions."""
    entry = re.compile(
        r"^Package: (\S+)\nStatus: \S+ \S+ (\S+)\n(?:(?!\n).*\n)*?Version: (\S+)", re.M
    )
    unfinished, installed = [], {}
    for name, state, version in entry.findall(status):
        if state in ("half-installed", "unpacked", "half-configured"):
            unfinished.append(name)
        elif state == "installed":
            installed[name] = version
    return unfinished, installed


def is_one_of(name, patterns):
    """Whether a name matches one of these patterns of fnmatch(3)."""
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def rpm_packages():
    """The RPMs that are installed, with their versions."""
    listed = output("rpm", "--query", "--all", "--queryformat", "%{NAME} %{VERSION}\\n")
    return dict(line.split() for line in listed.splitlines() if len(line.split()) == 2)


def package_lock():
    """The process that holds a lock of the package manager; None when it is free."""
    inodes = {}
    for path in LOCKS:
        if os.path.exists(path):
            inodes[str(os.stat(path).st_ino)] = path
    for line in read("/proc/locks").splitlines():
        words = line.replace("-> ", "").split()
        inode, pid = words[5].rpartition(":")[2], int(words[4])
        path = inodes.get(inode)
        # Inode numbers repeat between filesystems, so the process must have this very file open.
        if path and pid > 0 and (os.getuid() != 0 or path in links(pid)):
            return dict(process(pid), path=path)
    return None
