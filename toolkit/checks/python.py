"""The interpreter that Airflow will run under."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import cache

from toolkit.checks.common import answering, error, host_rule, listed, warning
from toolkit.cluster import Cluster, Host
from toolkit.cluster.lock import lock_file
from toolkit.cluster.lockfile import read_header
from toolkit.cluster.tables import platform, platforms
from toolkit.cluster.topology import airflow_components, release_line
from toolkit.content import content_dir
from toolkit.findings import Finding
from toolkit.hosts.facts import Facts, Probe, Python

NEEDED_MODULES = ("ctypes", "ssl", "sqlite3", "bz2", "lzma", "zlib")
"""What Airflow or its dependencies import; `venv` is not among them, as uv builds environments."""


@host_rule
def interpreter(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """There must be one that the release supports, whole, and that the lock was made for."""
    line, lock = release_line(cluster), lock_file(cluster)
    pythons = read_header(lock).pythons if lock else None  # once: a lock has thousands of lines
    for host, facts in answering(cluster, probe):
        if line is None or not facts.pythons or not airflow_components(cluster, host):
            continue
        offers = platform("python", facts.os)
        if offers and offers["offered"] != ":" and not _wanted(cluster, host):
            continue  # role python installs one there
        chosen = _chosen(cluster, host, facts, line["pythons"], pythons)
        if chosen is None:
            yield _finding(
                "python.missing",
                host,
                f"there is no {_wanted(cluster, host) or 'python3'} that runs",
                facts,
                line["pythons"],
            )
        elif chosen.minor not in line["pythons"]:
            yield _finding(
                "python.unsupported",
                host,
                f"Airflow {cluster.version} runs on Python "
                f"{listed(line['pythons'])}; {chosen.path} is {chosen.version}",
                facts,
                line["pythons"],
            )
        else:
            yield from _parts(host, chosen)
            if pythons is not None and chosen.minor not in pythons:
                yield error(
                    "python.lock",
                    host=host.name,
                    what=f"{lock} was not resolved for Python {chosen.minor}, which this host has",
                    fix=f"toolkit lock -i {cluster.inventory}",
                )


def _wanted(cluster: Cluster, host: Host) -> str:
    return str(cluster.setting("python_interpreter", host) or "")


def _chosen(
    cluster: Cluster, host: Host, facts: Facts, supported: list[str], locked: Collection[str] | None
) -> Python | None:
    """As role python chooses: the newest that is complete, and that release and lock support."""
    if _wanted(cluster, host):
        return next((python for python in facts.pythons if python.wanted), None)
    for minor in reversed(supported):
        for python in facts.pythons:
            whole = not set(NEEDED_MODULES).intersection(python.missing)
            if python.minor == minor and whole and (locked is None or minor in locked):
                return python
    return next((python for python in facts.pythons if python.default), None)


def _finding(id: str, host: Host, what: str, facts: Facts, supported: list[str]) -> Finding:
    usable = [python for python in facts.pythons if python.minor in supported]
    fix = (
        f"set python_interpreter: {usable[0].path} (Python {usable[0].version}) "
        f"for {host.name} in the inventory"
        if usable
        else f"install Python {supported[-1]} there and name it in python_interpreter; "
        f"found: {listed(f'{py.path} ({py.version})' for py in facts.pythons)}"
    )
    return error(
        id,
        host=host.name,
        what=what,
        fix=fix,
    )


def _parts(host: Host, python: Python) -> Iterator[Finding]:
    missing = [name for name in python.missing if name in NEEDED_MODULES]
    if missing:
        yield error(
            "python.incomplete",
            host=host.name,
            what=f"{python.path} ({python.version}) was built without {listed(missing)}",
            fix="install a complete Python there and name it in python_interpreter, or build it "
            "again with the development packages of these libraries",
        )


@host_rule
def build_packages(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What has no wheel is compiled on the host; the role knows with what, for some packages."""
    lock = lock_file(cluster)
    built = read_header(lock).built_on_hosts if lock else ()
    built = tuple(name for name in built if name not in _needing_nothing())
    for host, facts in answering(cluster, probe):
        if not built or not airflow_components(cluster, host):
            continue
        table = platform("airflow", facts.os) or {"build_packages": {}, "example_packages": ["gcc"]}
        unknown = [name for name in built if name not in table["build_packages"]]
        if unknown and not cluster.setting("base_packages", host):
            yield warning(
                "python.build_packages",
                host=host.name,
                what=f"{listed(unknown)} will be compiled there, and what that needs is not known",
                fix="name the packages with compiler and headers in base_packages, for example "
                f"base_packages: [{', '.join(table['example_packages'])}]",
            )
        noexec = any(path.path == "/tmp" and path.noexec for path in facts.paths)
        if noexec:
            yield warning(
                "python.tmp_noexec",
                host=host.name,
                what=f"/tmp is mounted noexec, and {listed(built)} will be compiled there",
                fix="sudo mount -o remount,exec /tmp, and change /etc/fstab",
            )


@cache
def _needing_nothing() -> set[str]:
    """Pure Python without a wheel: in the shipped locks, and not in the role's table of builds."""
    locks = (content_dir() / "roles" / "airflow" / "files" / "locks").glob("*.lock")
    built = {name for lock in locks for name in read_header(lock).built_on_hosts}
    return built - {name for table in platforms("airflow") for name in table["build_packages"]}
