"""Sent along with host_facts.py: how the operating system is, beyond what there is of it."""

import glob
import os
import pwd
import re
import socket
import subprocess

from toolkit.onhost.host_facts import read

REDIS_PORT = 6379


def system(payload):
    """Things that are amiss for a while, or since somebody changed them."""
    return {
        "cloud_init": cloud_init(),
        "reboot": reboot(),
        "selinux": {"1": "enforcing", "0": "permissive"}.get(
            read("/sys/fs/selinux/enforce").strip(), ""
        ),
        "language": language(),
        "entropy": int(read("/proc/sys/kernel/random/entropy_avail") or -1),
        "instance": instance(),
        "open_redis": open_redis(),
        "open_files": int(read("/proc/sys/fs/nr_open") or -1),
        "closed_dags": closed(payload.get("dags_folder", "")),
    }


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


def cloud_init():
    """Whether cloud-init was started and has not written its result yet."""
    started = os.path.exists("/run/cloud-init/status.json") or bool(
        glob.glob("/run/cloud-init/*.log")
    )
    return started and not os.path.exists("/run/cloud-init/result.json")


def reboot():
    """What asks for a restart: names of packages; a bare request is called "yes"."""
    if os.path.exists("/run/reboot-required"):
        return sorted(set(read("/run/reboot-required.pkgs").split())) or ["yes"]
    try:  # dnf's own answer: 1 when a restart is needed
        done = subprocess.run(
            ["needs-restarting", "-r"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            timeout=4, check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return ["yes"] if done.returncode == 1 else []


def language():
    """The locale that services and logins get."""
    for path in ("/etc/default/locale", "/etc/locale.conf"):
        found = re.search(r"^\s*LANG=[\"']?([^\"'\s]+)", read(path), re.M)
        if found:
            return found.group(1)
    return ""


def instance():
    """EC2's name for the kind of this machine; "" elsewhere, and on its oldest kinds."""
    if read("/sys/class/dmi/id/sys_vendor").strip() != "Amazon EC2":
        return ""
    return read("/sys/class/dmi/id/product_name").strip()


def open_redis():
    """The address that a Redis here listens at, when it answers without a password."""
    address = "%02X%02X" % (REDIS_PORT >> 8, REDIS_PORT & 255)
    found = ""
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in read(path).splitlines()[1:]:
            words = line.split()
            if words[3] == "0A" and words[1].endswith(":" + address):
                loopback = words[1].startswith(("0100007F:", "00000000000000000000000001000000:"))
                found = found if loopback and found else ("loopback" if loopback else "everywhere")
    if not found:
        return ""
    try:
        connection = socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=2)
    except OSError:
        return ""
    try:
        connection.sendall(b"PING\r\n")
        return found if connection.recv(64).startswith(b"+PONG") else ""
    except OSError:
        return ""
    finally:
        connection.close()


PARTS = {"system": system}
