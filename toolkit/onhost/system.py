"""The operating system: what it is, and what is wrong with it for a while or since a change."""

import glob
import os
import platform
import re
import subprocess

from toolkit.onhost.filesystems import READ, blocked
from toolkit.onhost.lib import output, read
from toolkit.onhost.network import open_redis

# What user airflow passes on its way to what the roles install.
PARENTS = ("/etc", "/opt", "/usr/local/bin", "/usr/local/lib", "/var/lib", "/var/log")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def os_release():
    """The distribution, from os-release(5)."""
    text = read("/etc/os-release") or read("/usr/lib/os-release")
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    values = {name: value.strip().strip("\"'") for name, _, value in pairs}
    return {
        "id": values.get("ID", ""),
        "id_like": values.get("ID_LIKE", "").split(),
        "version": values.get("VERSION_ID", ""),
        "codename": values.get("VERSION_CODENAME", ""),
        "name": values.get("PRETTY_NAME", ""),
    }


def machine():
    """Processor, kernel and who we are."""
    return {
        "architecture": os.uname().machine,
        "kernel": os.uname().release,
        "cpus": os.cpu_count() or 1,
        "python": platform.python_version(),
        "uid": os.getuid(),
        "sudo_user": os.environ.get("SUDO_USER", ""),
        "id": read("/etc/machine-id").strip(),
    }


def memory():
    """Main memory and swap in MB."""
    pairs = (line.split() for line in read("/proc/meminfo").splitlines())
    megabytes = {words[0].rstrip(":"): int(words[1]) // 1024 for words in pairs}
    return {
        "total_mb": megabytes["MemTotal"],
        "available_mb": megabytes.get("MemAvailable", megabytes["MemFree"]),
        "swap_mb": megabytes.get("SwapTotal", 0),
    }


def systemd():
    """Whether systemd is the init system, and its version (0 when it is not there)."""
    version = re.match(r"systemd (\d+)", output("systemctl", "--version"))
    return {
        "running": os.path.isdir("/run/systemd/system"),
        "init": read("/proc/1/comm").strip(),
        "version": int(version.group(1)) if version else 0,
    }


def time_zone():
    """The time zone's name, from the link that timedatectl(1) sets."""
    target = os.path.realpath("/etc/localtime")
    return target.partition("zoneinfo/")[2] or read("/etc/timezone").strip()


def locales():
    """The locales that programs can be run in."""
    return output("locale", "-a").split()


def system():
    """What may be wrong for a while, or since somebody changed it."""
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
        "closed_parents": sorted(
            set(blocked([path + "/airflow-toolkit" for path in PARENTS], READ).values())
        ),
        "proxies": proxies(),
    }


def proxies():
    """What systemd gives to every service about proxies: names of variables, and what goes past them."""
    pairs = [line.split("=", 1) for line in output("systemctl", "show-environment").splitlines()]
    found = {pair[0]: pair[1].strip("$'\"") for pair in pairs if len(pair) == 2}
    names = sorted(name for name in found if name.lower() in PROXIES)
    direct = [found.get(name, "") for name in ("no_proxy", "NO_PROXY")]
    return {"names": names, "direct": ",".join(filter(None, direct))}


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
