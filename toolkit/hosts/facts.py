"""What a probe found, with types. A part that the host script could not find out is None or ()."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.cluster.tables import OsRelease
from toolkit.hosts import HostProblem
from toolkit.hosts.answer import read
from toolkit.hosts.database import Examined
from toolkit.hosts.external import Service
from toolkit.hosts.ownership import Claim, Left
from toolkit.hosts.tried import Certificate, PortCheck, Reach, Resolution, UrlCheck


@dataclass(frozen=True)
class Distribution(OsRelease):
    """os-release(5)."""

    codename: str = ""
    name: str = ""


@dataclass(frozen=True)
class Machine:
    """Processor and kernel; `id` is the machine-id, `python` the interpreter of the probe."""

    architecture: str = ""
    kernel: str = ""
    cpus: int = 1
    python: str = ""
    uid: int = -1
    sudo_user: str = ""
    id: str = ""


@dataclass(frozen=True)
class Memory:
    """Main memory and swap in MB."""

    total_mb: int = 0
    available_mb: int = 0
    swap_mb: int = 0


@dataclass(frozen=True)
class Systemd:
    """Whether systemd is the init system, and its version."""

    running: bool = False
    init: str = ""
    version: int = 0


@dataclass(frozen=True)
class PathFacts:
    """The filesystem of a path, or of its nearest parent that exists; sizes in MB."""

    path: str = ""
    exists: bool = False
    device: int = 0
    mount: str = ""
    free_mb: int = 0
    total_mb: int = 0
    free_inodes: int | None = None
    read_only: bool = False
    noexec: bool = False


@dataclass(frozen=True)
class Process:
    """A process; `pid` is 0 when the probe may not see it."""

    pid: int = 0
    name: str = ""
    user: str = ""
    unit: str = ""

    def __str__(self) -> str:
        if not self.pid:
            return "a process that only root can see"
        unit = f", unit {self.unit}" if self.unit else ""
        return f"{self.name} (pid {self.pid}, user {self.user or '?'}{unit})"


@dataclass(frozen=True)
class Listener(Process):
    """A process that listens on a TCP port."""

    port: int = 0
    address: str = ""


@dataclass(frozen=True)
class PackageLock(Process):
    """A process that holds a lock of the package manager."""

    path: str = ""


@dataclass(frozen=True)
class ForeignAirflow(Process):
    """An Airflow process that is none of our units."""

    command: str = ""


@dataclass(frozen=True)
class Packages:
    """The package manager, what it left half done, and servers it installed (name -> version)."""

    manager: str = ""
    unfinished: tuple[str, ...] = ()
    servers: Mapping[str, str] = field(default_factory=dict)
    lock: PackageLock | None = None


@dataclass(frozen=True)
class Python:
    """An interpreter; `default` is the distribution's python3, `wanted` python_interpreter."""

    path: str = ""
    version: str = ""
    missing: tuple[str, ...] = ()
    default: bool = False
    wanted: bool = False

    @property
    def minor(self) -> str:
        """The version as releases of Airflow name it, for example "3.11"."""
        return ".".join(self.version.split(".")[:2])


@dataclass(frozen=True)
class Names:
    """What the host is called, and every address of its interfaces."""

    hostname: str = ""
    fqdn: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Release:
    """An environment below /opt/airflow/releases."""

    name: str = ""
    complete: bool = False


@dataclass(frozen=True)
class Unit:
    """State of a systemd unit; `ours` when it runs in airflow.slice, `overrides` are drop-ins."""

    name: str = ""
    active: str = ""
    sub: str = ""
    restarts: int = 0
    pid: int = 0
    enabled: str = ""
    overrides: tuple[str, ...] = ()
    ours: bool = False


@dataclass(frozen=True)
class Airflow:
    """What there is of Airflow; `ours` once the toolkit has been at work on the host, `drained` while its worker is
    out of work."""

    ours: bool = False
    current: str = ""
    configured: bool = False
    releases: tuple[Release, ...] = ()
    units: tuple[Unit, ...] = ()
    drained: bool = False
    foreign: tuple[ForeignAirflow, ...] = ()

    @property
    def built(self) -> tuple[str, ...]:
        """Names of the releases that are complete."""
        return tuple(release.name for release in self.releases if release.complete)

    @property
    def version(self) -> str:
        """The version that runs, as role airflow reads it; "" where `current` is no release of ours."""
        found = re.fullmatch("(.+)-[0-9a-f]{12}", self.current)
        return found[1] if found else ""


@dataclass(frozen=True)
class Proxies:
    """Variables about proxies that systemd gives to every service: names, and the value of NO_PROXY."""

    names: tuple[str, ...] = ()
    direct: str = ""


@dataclass(frozen=True)
class System:
    """How the operating system is now.

    Attributes:
        cloud_init: whether cloud-init is still at work.
        reboot: packages that ask for a restart; ("yes",) when nobody says which.
        selinux: "enforcing", "permissive", or "" without SELinux.
        language: the configured locale, LANG.
        entropy: bits that the kernel has; -1 when it does not say.
        instance: EC2's name for the kind of machine, such as "t3.small"; "" elsewhere.
        open_files: how many files the kernel lets a process open; -1 when it does not say.
        proxies: what systemd gives to every service.
        closed_parents: directories that keep Airflow's user from what is installed.
        open_redis: "loopback" or "everywhere" when a Redis answers there without a password.
    """

    cloud_init: bool = False
    reboot: tuple[str, ...] = ()
    selinux: str = ""
    language: str = ""
    entropy: int = -1
    instance: str = ""
    open_redis: str = ""
    open_files: int = -1
    closed_parents: tuple[str, ...] = ()
    proxies: Proxies = field(default_factory=Proxies)


@dataclass(frozen=True)
class Installation:
    """An AIRFLOW_HOME with a configuration that is not ours.

    Attributes:
        home: the directory.
        problem: why its configuration cannot be read; nothing else is known then.
        owner: of its airflow.cfg.
        mode: of its airflow.cfg.
        readable: whether everybody can read it, and there is a secret in it.
        executor: as configured.
        database: sqlite, postgresql, mysql or "".
        default_password: whether a URL in it has a password that everybody tries first.
        options: names of all options in it, as section.option.
        units: the systemd units that run it.
        stale_pid_files: of components that are not there any more.
    """

    home: str = ""
    problem: str = ""
    owner: str = ""
    mode: int = 0
    readable: bool = False
    executor: str = ""
    database: str = ""
    default_password: bool = False
    options: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    stale_pid_files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Facts:
    """All facts of one host.

    Attributes:
        unreadable: path that Airflow reads -> what keeps its user from it, itself or a directory above.
        unwritable: the same for directories that it writes to.
        unit_options: what this host's systemd says against airflow_unit_options, as (option, why).
    """

    os: Distribution | None = None
    machine: Machine | None = None
    memory: Memory | None = None
    systemd: Systemd | None = None
    paths: tuple[PathFacts, ...] = ()
    listeners: tuple[Listener, ...] = ()
    packages: Packages | None = None
    pythons: tuple[Python, ...] = ()
    network: Names | None = None
    time_zone: str = ""
    locales: tuple[str, ...] = ()
    airflow: Airflow = field(default_factory=Airflow)
    system: System = field(default_factory=System)
    unreadable: Mapping[str, str] = field(default_factory=dict)
    unwritable: Mapping[str, str] = field(default_factory=dict)
    unit_options: tuple[tuple[str, str], ...] = ()
    existing: tuple[Installation, ...] = ()
    drift: Mapping[str, str] = field(default_factory=dict)
    claim: Claim = field(default_factory=Claim)
    secrets: Mapping[str, str] = field(default_factory=dict)
    certificate: Certificate = field(default_factory=Certificate)
    urls: tuple[UrlCheck, ...] = ()
    ports: tuple[PortCheck, ...] = ()
    errors: Mapping[str, str] = field(default_factory=dict)
    clock_start: float = 0.0
    clock_end: float = 0.0
    sent: float = 0.0
    received: float = 0.0
    chatter: str = ""

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Facts:
        """Facts from what the host script printed."""
        return read(cls, data)

    @property
    def clock_offset(self) -> tuple[float, float]:
        """How far the host's clock is ahead of this machine's, in seconds: at least, at most.

        The script started after it was sent, and ended before its answer was here.
        """
        return self.clock_end - self.received, self.clock_start - self.sent


@dataclass(frozen=True)
class Probe:
    """Facts of every host that answered, and what is wrong with each that did not.

    Attributes:
        outside: names, machine-id and clock of hosts outside of the limit, those that answered.
        database: what an installed Airflow's database holds.
        left: hosts that left the cluster, and what is on them.
        nonce: the key of the digests in `Facts.secrets`.
    """

    facts: Mapping[str, Facts]
    problems: Mapping[str, HostProblem] = field(default_factory=dict)
    services: tuple[Service, ...] = ()
    reach: tuple[Reach, ...] = ()
    names: tuple[Resolution, ...] = ()
    left: Mapping[str, Left] = field(default_factory=dict)
    database: Examined = field(default_factory=Examined)
    nonce: str = ""
    outside: Mapping[str, Facts] = field(default_factory=dict)
