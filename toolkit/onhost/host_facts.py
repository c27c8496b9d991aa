"""Reads the facts of the host it runs on; sent there over SSH, never installed.

Standard library only, any Python from 3.6 on, ASCII; works with and without root (without, other
users' processes stay nameless). It changes nothing. Every part stands alone: one that fails is
named under "errors" and the others still answer. Whatever waits (interpreters, systemctl, the
network) runs in threads, so the whole takes as long as the slowest part.

Other host_*.py of this package are sent along, behind this one; each adds its PARTS to MORE.
"""

import fnmatch
import functools
import glob
import json
import os
import platform
import pwd
import re
import shutil
import socket
import struct
import subprocess
import threading
import time

BUILD_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# What distributions and own builds leave out of a Python: its parts written in C (they stand for
# the modules of the same name; loading them is quick and proves their libraries), and two others.
PYTHON_EXTENSIONS = ["_ctypes", "_ssl", "_sqlite3", "_bz2", "_lzma", "zlib"]
PYTHON_MODULES = ["venv", "ensurepip"]
PACKAGE_LOCKS = [
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
]
PACKAGE_MANAGERS = ["apt-get", "dnf", "zypper", "apk", "pacman"]
UNIT_DIRECTORIES = ["/etc/systemd/system", "/lib/systemd/system", "/usr/local/lib/systemd/system"]
LATE = {"result": "timeout", "detail": "no answer in time"}
# Any of these means that the toolkit has been at work here, if only for a moment.
OUR_MARKS = ["/usr/local/lib/airflow-toolkit", "/etc/airflow/airflow.cfg", "/opt/airflow/releases"]

MORE = {}  # part -> function that is given the payload


def main(payload):
    """Collect everything; `payload` says which paths, URLs and ports matter to this host."""
    found = {"clock_start": time.time(), "errors": {}}
    os.environ.update(payload.get("environment", {}))
    parts = {
        "os": os_release,
        "machine": machine,
        "memory": memory,
        "systemd": systemd,
        "paths": lambda: [path_facts(path) for path in payload.get("paths", [])],
        "listeners": listeners,
        "packages": lambda: packages(payload.get("server_packages", [])),
        "pythons": lambda: pythons(payload.get("interpreter", "")),
        "network": network_names,
        "time_zone": time_zone,
        "locales": locales,
        "airflow": lambda: airflow(payload.get("airflow_commands", [])),
        "urls": lambda: urls(payload),
        "ports": lambda: ports(payload),
    }
    for name, function in MORE.items():
        parts[name] = functools.partial(function, payload)

    def collect(name, part):
        try:
            found[name] = part()
        except Exception as error:
            found["errors"][name] = "%s: %s" % (type(error).__name__, error)

    threads = [threading.Thread(target=collect, args=item, daemon=True) for item in parts.items()]
    for thread in threads:
        thread.start()
    deadline = time.time() + network_wait(payload) + 1
    for thread in threads:
        thread.join(max(0, deadline - time.time()))
    # A copy: a name lookup that hangs may still write into the original.
    result = dict(found)
    for name in parts:
        if name not in result and name not in result["errors"]:
            result["errors"][name] = "took too long"
    result["clock_end"] = time.time()
    return result


def in_parallel(calls, wait, late):
    """Results of (function, argument...) calls made at the same time, in their order.

    After `wait` seconds those that are still busy have the result that stands in `late`.
    """
    results = list(late)

    def work(index, function, arguments):
        results[index] = function(*arguments)

    threads = [
        threading.Thread(target=work, args=(index, call[0], call[1:]), daemon=True)
        for index, call in enumerate(calls)
    ]
    deadline = time.time() + wait
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline - time.time()))
    return list(results)


def read(path):
    """A file's text, "" when it is not there or not for us."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def output(*command):
    """Standard output of a command that is quick, "" when it is not there."""
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=4, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.decode("utf-8", "replace")


# System


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


def path_facts(path):
    """The filesystem that a path is on, or will be on once it is made."""
    existing = path
    while not os.path.exists(existing):
        existing = os.path.dirname(existing)
    status = os.statvfs(existing)
    megabyte = 1024 * 1024
    return {
        "path": path,
        "exists": existing == path,
        "device": os.stat(existing).st_dev,
        "mount": mount_of(existing),
        "free_mb": status.f_bavail * status.f_frsize // megabyte,
        "total_mb": status.f_blocks * status.f_frsize // megabyte,
        # Some filesystems, such as btrfs, have no fixed number of inodes and report 0.
        "free_inodes": status.f_favail if status.f_files else None,
        "read_only": bool(status.f_flag & os.ST_RDONLY),
        "noexec": bool(status.f_flag & os.ST_NOEXEC),
    }


def mount_of(path):
    """The mount point above a path."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


# Processes and ports


def listeners():
    """Listening TCP ports with their processes."""
    sockets = {}
    for path, family in (("/proc/net/tcp", socket.AF_INET), ("/proc/net/tcp6", socket.AF_INET6)):
        for line in read(path).splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":  # TCP_LISTEN
                address, port = words[1].split(":")
                sockets[words[9]] = (address_text(address, family), int(port, 16))
    owners = socket_owners(set(sockets))
    found = []
    for inode, (address, port) in sockets.items():
        entry = {"port": port, "address": address}
        entry.update(process(owners[inode]) if inode in owners else {})
        found.append(entry)
    return sorted(found, key=lambda entry: (entry["port"], entry["address"]))


def address_text(text, family):
    """An address of /proc/net/tcp*: words of 32 bits in the machine's byte order."""
    words = [int(text[index : index + 8], 16) for index in range(0, len(text), 8)]
    return socket.inet_ntop(family, struct.pack("=%dI" % len(words), *words))


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
        user = pwd.getpwuid(os.stat("/proc/%d" % pid).st_uid).pw_name
    except (OSError, KeyError):
        user = ""
    units = re.findall(r"/([^/\n]+\.(?:service|scope))", read("/proc/%d/cgroup" % pid))
    return {
        "pid": pid,
        "name": read("/proc/%d/comm" % pid).strip(),
        "user": user,
        "unit": units[-1] if units else "",
    }


# Packages


def packages(servers):
    """The package manager: what it left half done, who holds its lock, servers it installed.

    `servers` are patterns of their names.
    """
    manager = next((name for name in PACKAGE_MANAGERS if shutil.which(name)), "")
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
    for path in PACKAGE_LOCKS:
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


# Python


def pythons(wanted):
    """Every Python 3 here, with the modules that Airflow or its installation needs."""
    default = shutil.which("python3", path=BUILD_PATH) or ""
    patterns = ["/usr/bin/python3.*", "/usr/local/bin/python3.*", "/opt/*/bin/python3.*"]
    candidates = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    candidates = [path for path in candidates if re.search(r"python3\.\d+$", path)]
    by_file = {}
    for path in [default, *candidates, wanted]:
        if path and os.access(path, os.X_OK):
            by_file.setdefault(os.path.realpath(path), path)
    calls = [(python_facts, path) for path in by_file.values()]
    found = in_parallel(calls, 4, [None] * len(calls))
    found = [python for python in found if python]  # without those that do not run
    for python in found:
        same = os.path.realpath(python["path"])
        python["default"] = bool(default) and same == os.path.realpath(default)
        python["wanted"] = bool(wanted) and same == os.path.realpath(wanted)
    return found


def python_facts(path):
    """One interpreter's version and the modules it lacks."""
    code = (
        "import importlib.util, json, sys\n"
        "missing = [name for name in %r if not importlib.util.find_spec(name)]\n"
        "for name in %r:\n"
        "    try: __import__(name)\n"
        "    except ImportError: missing.append(name.lstrip('_'))\n"
        "version = '%%d.%%d.%%d' %% sys.version_info[:3]\n"
        "print(json.dumps({'version': version, 'missing': missing}))\n"
    ) % (PYTHON_MODULES, PYTHON_EXTENSIONS)
    text = output(path, "-I", "-S", "-c", code)
    return dict(json.loads(text), path=path) if text else None


# Names and addresses


def network_names():
    """What this host is called and which addresses are its own."""
    (fqdn,) = in_parallel([(socket.getfqdn,)], 2, [""])
    return {
        "hostname": socket.gethostname(),
        "fqdn": fqdn,
        "addresses": own_addresses(),
    }


def own_addresses():
    """Every address of every interface, loopback included."""
    pattern = r"\|-- (\S+)\n\s+/32 host LOCAL"
    found = set(re.findall(pattern, read("/proc/net/fib_trie")))
    for line in read("/proc/net/if_inet6").splitlines():
        found.add(socket.inet_ntop(socket.AF_INET6, bytes(bytearray.fromhex(line.split()[0]))))
    return sorted(found)


# Airflow and what it needs


def airflow(commands):
    """What the toolkit installed earlier, and any Airflow that somebody else runs here.

    `commands` are those of Airflow's command line that keep running.
    """
    units = unit_states()
    releases = [
        {"name": os.path.basename(path), "complete": os.path.exists(path + "/.complete")}
        for path in sorted(glob.glob("/opt/airflow/releases/*"))
        if os.path.isdir(path)
    ]
    current = "/opt/airflow/current"
    return {
        "ours": any(os.path.exists(mark) for mark in OUR_MARKS),
        "current": os.path.basename(os.path.realpath(current)) if os.path.exists(current) else "",
        "configured": os.path.isfile("/etc/airflow/airflow.cfg"),
        "releases": releases,
        "units": units,
        "foreign": foreign_airflow([unit["name"] for unit in units if unit["ours"]], commands),
    }


def unit_states():
    """State of every unit with airflow in its name."""
    files = {}
    for directory in UNIT_DIRECTORIES:
        for path in glob.glob(directory + "/*airflow*.service"):
            files.setdefault(os.path.basename(path), path)
    if not files:  # systemctl would show its own manager's properties
        return []
    properties = ["Id", "LoadState", "ActiveState", "SubState", "NRestarts", "MainPID",
                  "UnitFileState", "DropInPaths"]  # fmt: skip
    text = output("systemctl", "show", "--property=" + ",".join(properties), "--", *sorted(files))
    found = []
    for block in text.split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if values.get("LoadState") in (None, "not-found"):
            continue
        name = values["Id"]
        found.append(
            {
                "name": name,
                "active": values.get("ActiveState", ""),
                "sub": values.get("SubState", ""),
                "restarts": int(values.get("NRestarts") or 0),
                "pid": int(values.get("MainPID") or 0),
                "enabled": values.get("UnitFileState", ""),
                "overrides": values.get("DropInPaths", "").split(),
                "ours": "airflow.slice" in read(files[name]) if name in files else False,
            }
        )
    return found


def foreign_airflow(our_units, commands):
    """Airflow processes that run outside our units; their arguments stay here."""
    found = []
    for pid in processes():
        words = read("/proc/%d/cmdline" % pid).split("\0")
        if not any(os.path.basename(word) == "airflow" for word in words[:3]):
            continue
        command = next((word for word in words if word in commands), "")
        facts = process(pid)
        if command and facts["unit"] not in our_units:
            found.append(dict(facts, command=command))
    return found


# Network


def mirrors(wanted):
    """What apt reads its package lists from, as URLs to check; [] unless wanted."""
    if not wanted:
        return []
    found = {}
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        if path.endswith((".list", ".sources")):
            style = one_line_sources if path.endswith(".list") else deb822_sources
            for uri, suite in style(read(path)):
                url = release_file(uri, suite)
                if url.startswith(("http://", "https://")):
                    found.setdefault(url, {"url": url, "role": "mirror", "where": path})
    proxies = apt_proxies() if found else {}
    for url in found.values():
        url["proxy"] = proxies.get(url["url"].partition(":")[0], "")
    return list(found.values())


def one_line_sources(text):
    """(URI, suite) of `deb [options] URI suite component...` lines, sources.list(5)."""
    for line in text.splitlines():
        words = re.sub(r"\[[^]]*\]", "", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield words[1], words[2]


def deb822_sources(text):
    """(URI, suite) of the stanzas of a .sources file, sources.list(5)."""
    for stanza in re.split(r"\n\s*\n", re.sub(r"^#.*\n?", "", text, flags=re.M)):
        fields = re.sub(r"\n[ \t]+", " ", stanza)
        values = {
            name.lower(): value.split()
            for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", fields, re.M)
        }
        if "deb" in values.get("types", []) and values.get("enabled", ["yes"])[0] != "no":
            for uri in values.get("uris", []):
                for suite in values.get("suites", []):
                    yield uri, suite


def release_file(uri, suite):
    """The file that apt asks for first; a suite with a slash at its end is a path itself."""
    base = uri.rstrip("/") + "/"
    return (
        base + suite.lstrip("/") + "InRelease"
        if suite.endswith("/")
        else (base + "dists/" + suite + "/InRelease")
    )


def apt_proxies():
    """Scheme -> proxy, as apt is configured."""
    text = output("apt-config", "dump", "Acquire::http::Proxy", "Acquire::https::Proxy")
    return {
        scheme.lower(): proxy
        for scheme, proxy in re.findall(r'Acquire::(https?)::Proxy "([^"]+)"', text, re.I)
        if proxy != "DIRECT"
    }


def shown(url):
    """A URL check without what must not be shown: passwords, proxies."""
    without = {name: value for name, value in url.items() if name != "proxy"}
    return dict(without, url=re.sub(r"//[^/@]*@", "//", url["url"]))


def network_wait(payload):
    """Seconds for all of the network: a resolver asks again after 5, then come connect and read.

    All of it twice, as ask_for does.
    """
    return 2 * (2 * payload.get("timeout", 4) + 2)


def urls(payload):
    """Check every URL of the payload, and apt's mirrors."""
    wanted = payload.get("urls", []) + mirrors(payload.get("mirrors", False))
    context = None
    if any(url["url"].startswith("https:") for url in wanted):
        import ssl

        # Reading the trust store takes longer than a request, so all share it.
        context = ssl.create_default_context()
        for certificate in payload.get("ca_certificates", []):
            context.load_verify_locations(cadata=certificate)
    timeout = payload.get("timeout", 4)
    calls = [(check_url, url, context, timeout) for url in wanted]
    return in_parallel(calls, network_wait(payload), [dict(shown(url), **LATE) for url in wanted])


def check_url(url, context, timeout):
    """Whether a URL can be read; a package list without InRelease has Release, older apt's file."""
    checked = ask_for(url, context, timeout)
    if checked["detail"] == "404" and url["url"].endswith("/InRelease"):
        older = url["url"][: -len("InRelease")] + "Release"
        return dict(checked, **ask_for(dict(url, url=older), context, timeout))
    return checked


def ask_for(url, context, timeout):
    """What came of asking for a URL: once more when late, as whoever installs tries again too."""
    answer = ask_once(url, context, timeout)
    return ask_once(url, context, timeout) if answer["result"] == "timeout" else answer


def ask_once(url, context, timeout):
    """Ask for the first byte of a URL; what came of it."""
    import base64
    import http.client
    import urllib.error
    import urllib.request
    from urllib.parse import unquote

    request = urllib.request.Request(
        shown(url)["url"], headers={"Range": "bytes=0-0", "User-Agent": "airflow-toolkit"}
    )
    secret = re.match(r"\w+://([^/@]*)@", url["url"])
    if secret:
        token = base64.b64encode(unquote(secret.group(1)).encode("utf-8")).decode("ascii")
        request.add_header("Authorization", "Basic " + token)
    handlers = [urllib.request.HTTPSHandler(context=context)]
    if url.get("proxy"):
        handlers.append(urllib.request.ProxyHandler({request.type: url["proxy"]}))
    try:
        urllib.request.build_opener(*handlers).open(request, timeout=timeout).close()
        return dict(shown(url), result="ok", detail="")
    except urllib.error.HTTPError as error:
        # The range is only asked for to spare the server; that it has none is an answer too.
        ok = error.code == 416
        return dict(shown(url), result="ok" if ok else "http", detail=str(error.code))
    except urllib.error.URLError as error:
        return dict(shown(url), **failure(error.reason))
    except (OSError, http.client.HTTPException, ValueError) as error:
        return dict(shown(url), **failure(error))


def ports(payload):
    """Check every TCP port of the payload."""
    timeout = payload.get("timeout", 4)
    wanted = payload.get("ports", [])
    calls = [(check_port, port, timeout) for port in wanted]
    return in_parallel(calls, network_wait(payload), [dict(port, **LATE) for port in wanted])


def check_port(port, timeout):
    """Whether a TCP port answers: open, refused (reachable, nothing listens), or not reachable."""
    try:
        socket.create_connection((port["host"], port["port"]), timeout=timeout).close()
    except OSError as error:
        return dict(port, **failure(error))
    return dict(port, result="open", detail="")


def failure(error):
    """An exception of the network as a class that rules can judge, and its text."""
    detail = getattr(error, "strerror", None) or str(error) or type(error).__name__
    if isinstance(error, socket.gaierror):
        kind = "dns"
    elif isinstance(error, ConnectionRefusedError):
        kind = "refused"
    elif isinstance(error, socket.timeout):
        kind, detail = "timeout", "no answer in time"
    elif "SSL" in type(error).__name__:  # ssl need not be there to be imported
        kind, detail = "tls", getattr(error, "verify_message", "") or detail
    else:
        kind = "error"
    return {"result": kind, "detail": detail}
