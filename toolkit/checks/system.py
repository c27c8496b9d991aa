"""The state that the operating system is in."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from toolkit.checks.common import answering, error, host_rule, listed, note, warning
from toolkit.checks.thresholds import ENTROPY, LOCALES_BUILT_IN, OPEN_FILES, SYSTEMD
from toolkit.cluster import Cluster
from toolkit.cluster.tables import words
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe


@host_rule
def cloud_init(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A machine that has just been created is still being set up."""
    for host, facts in answering(cluster, probe):
        if facts.system.cloud_init:
            yield warning(
                "system.cloud_init",
                host=host.name,
                what="cloud-init has not finished",
                fix="wait for it, on the host: sudo cloud-init status --wait",
                remedy="cloud-init status --wait",
            )


@host_rule
def reboot(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Harmless for a provision, but better done before the cluster is in use."""
    for host, facts in answering(cluster, probe):
        if facts.system.reboot:
            packages = [name for name in facts.system.reboot if name != "yes"]
            cause = f", for {listed(packages)}" if packages else ""
            yield note(
                "system.reboot",
                host=host.name,
                what=f"the host waits for a restart{cause}",
                fix="sudo systemctl reboot, at a time that suits you",
            )


@host_rule
def selinux(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Not tested by us."""
    for host, facts in answering(cluster, probe):
        if facts.system.selinux == "enforcing":
            yield note(
                "system.selinux",
                host=host.name,
                what="SELinux is enforcing",
                fix="if a unit does not start: sudo ausearch -m avc -ts recent",
            )


@host_rule
def open_files(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """The units ask for as many as they may need."""
    for host, facts in answering(cluster, probe):
        if 0 < facts.system.open_files < OPEN_FILES:
            yield error(
                "system.open_files",
                host=host.name,
                what=f"a process may open {facts.system.open_files} files, units ask for {OPEN_FILES}",
                fix=f"sudo sysctl -w fs.nr_open={OPEN_FILES}, and the same in /etc/sysctl.d",
            )


@host_rule
def closed_parents(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """What the roles install is open to Airflow's user, and the way there has to be as well."""
    for host, facts in answering(cluster, probe):
        for path in facts.system.closed_parents:
            command = f"chmod o+x {quote(path)}"
            yield error(
                "system.closed_path",
                host=host.name,
                what=f"{path} is closed to other users, and Airflow's user has to pass it",
                fix=f"sudo {command}",
                remedy=command,
            )


@host_rule
def systemd_version(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Units are hardened with options that older ones pass over."""
    for host, facts in answering(cluster, probe):
        if facts.systemd and 0 < facts.systemd.version < SYSTEMD:
            yield warning(
                "system.systemd_version",
                host=host.name,
                what=f"systemd is {facts.systemd.version}, the units are written for {SYSTEMD}",
                fix="use a newer release of the distribution",
            )


@host_rule
def time_zones(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Logs of different hosts are read side by side."""
    zones = {host.name: facts.time_zone for host, facts in answering(cluster, probe)}
    first = next(iter(zones.values()), "")
    others = [name for name, zone in zones.items() if _zone(zone) != _zone(first)]
    if others and all(zones.values()):
        yield note(
            "system.time_zone",
            host=others[0],
            what="time zones differ: " + ", ".join(f"{n} {zone}" for n, zone in zones.items()),
            fix=f"sudo timedatectl set-timezone {first}, or another, the same on every host",
        )


def _zone(name: str) -> str:
    return "UTC" if name in ("Etc/UTC", "UTC", "Etc/UCT", "Universal", "Zulu") else name


@host_rule
def locale(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Named in the configuration, and never generated: minimal images have this often."""
    for host, facts in answering(cluster, probe):
        name, there = facts.system.language, {_locale(entry) for entry in facts.locales}
        own = words(facts.os)
        if name and there and _locale(name) not in {*there, *LOCALES_BUILT_IN}:
            yield warning(
                "system.locale",
                host=host.name,
                what=f"the configured locale {name} does not exist",
                fix=f"sudo localedef -i {name.partition('.')[0]} -f UTF-8 {name} "
                f"(package {own.locale_package}), or another one: "
                + own.sudo("set_locale", locale="C.UTF-8"),
                remedy=own.command("install_quietly", packages=own.locale_package)
                + f" && localedef -i {quote(name.partition('.')[0])} -f UTF-8 {quote(name)}",
            )


def _locale(name: str) -> str:
    """One spelling: `locale -a` says en_US.utf8 for en_US.UTF-8."""
    return name.lower().replace("-", "")


@host_rule
def entropy(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Kernels before 5.18 run dry."""
    for host, facts in answering(cluster, probe):
        own = words(facts.os)
        if 0 <= facts.system.entropy < ENTROPY:
            yield warning(
                "system.entropy",
                host=host.name,
                what=f"the kernel has {facts.system.entropy} bits of randomness",
                fix=own.sudo("install", packages=own.entropy_package)
                + ", or give the machine a virtio-rng device",
            )
