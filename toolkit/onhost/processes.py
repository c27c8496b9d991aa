"""Processes: who they are, what they have open, which memory they use."""

import os
import re

from toolkit.onhost.lib import read, user_name


def processes():
    """The process ids there are."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def links(pid):
    """What a process has open; nothing when it is not ours to see."""
    directory = "/proc/%d/fd" % pid
    try:
        names = os.listdir(directory)
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(os.path.join(directory, name))
        except OSError:
            continue


def process(pid):
    """A process as a person would name it."""
    try:
        user = user_name(os.stat("/proc/%d" % pid).st_uid)
    except OSError:
        user = ""
    units = re.findall(r"/([^/\n]+\.(?:service|scope))", read("/proc/%d/cgroup" % pid))
    return {
        "pid": pid,
        "name": read("/proc/%d/comm" % pid).strip(),
        "user": user,
        "unit": units[-1] if units else "",
    }


def socket_owners(inodes):
    """Socket inode -> pid, for those of `inodes` that we may see."""
    owners = {}
    for pid in processes():
        for link in links(pid):
            inode = link[8:-1] if link.startswith("socket:[") else ""
            if inode in inodes:
                owners.setdefault(inode, pid)
        if len(owners) == len(inodes):
            break
    return owners


def group_memory_mb(group):
    """Memory of a control group's processes in MB, each shared page counted once."""
    total = 0
    for folder, _, files in os.walk("/sys/fs/cgroup" + group):
        if "cgroup.procs" in files:
            for pid in read(folder + "/cgroup.procs").split():
                pss = re.search(r"^Pss:\s+(\d+) kB", read("/proc/%s/smaps_rollup" % pid), re.M)
                total += int(pss.group(1)) if pss else 0
    return total // 1024
