"""TCP ports and database or broker servers that other software has already."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from shlex import quote

from toolkit.checks.common import (
    SETTINGS_FILE,
    answering,
    error,
    host_rule,
    installed_servers,
    listed,
    warning,
)
from toolkit.cluster import Cluster
from toolkit.cluster.tables import engines, server_groups, words
from toolkit.cluster.topology import Port, ports, servers
from toolkit.findings import Finding
from toolkit.hosts.facts import Facts, Listener, Probe


@host_rule
def taken(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A port that a component needs must be free, or be that component's already."""
    for host, facts in answering(cluster, probe):
        for port in ports(cluster, host):
            for listener in facts.listeners:
                if listener.port == port.number and not _expected(listener, port, facts):
                    yield _taken(host.name, port, listener)
                    break


def _expected(listener: Listener, port: Port, facts: Facts) -> bool:
    engine = engines().get(port.component)
    if engine:
        # Whether it was there before the toolkit, `present` decides.
        platform = engine.on(facts.os)
        if platform is None or facts.packages is None:
            return True
        own = any(fnmatchcase(listener.unit, unit) for unit in platform.units)
        return own and bool(installed_servers(engine, facts))
    return listener.unit in {unit.name for unit in facts.airflow.units if unit.ours}


def _taken(host: str, port: Port, listener: Listener) -> Finding:
    service, unit = listener.unit.endswith(".service"), quote(listener.unit)
    stop = (
        f"systemctl disable --now {listener.unit}" if service else f"kill {listener.pid or 'PID'}"
    )
    return error(
        "ports.taken",
        host=host,
        what=f"port {port.number} is taken by {listener}",
        why=f"{port.component} needs it",
        fix=f"set {port.setting} to a free port in {SETTINGS_FILE}, or free it: sudo {stop}",
        # A unit that was made by systemd-run cannot be disabled, and is gone once it is stopped.
        remedy=f"systemctl disable --now {unit} 2>/dev/null || systemctl stop {unit}"
        if service and listener.name != "sshd"
        else "",
    )


@host_rule
def present(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A server that was there before the toolkit belongs to somebody, with data in it."""
    for host, facts in answering(cluster, probe):
        if facts.airflow.ours:
            continue
        for server in servers(cluster, host):
            engine = engines()[server]
            found, setting = installed_servers(engine, facts), server_groups()[engine.group].url
            if found and not cluster.setting(f"{server}_adopt", host):
                yield error(
                    "ports.server_present",
                    host=host.name,
                    what=f"{listed(found)} is installed here, and not by the toolkit",
                    fix=f"to use it as it is, set {setting} and take the host out of the group; "
                    f"to have it configured for Airflow as well: {server}_adopt: true; "
                    f"if nobody needs it: "
                    + words(facts.os).sudo("remove", packages=" ".join(found)),
                )


@host_rule
def open_redis(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Redis without a password, as its package installs it, opened to the network."""
    for host, facts in answering(cluster, probe):
        if facts.system.open_redis:
            redis = engines()["redis"].on(facts.os)
            name = redis.service if redis else "redis"
            everywhere = facts.system.open_redis == "everywhere"
            severity = error if everywhere else warning
            yield severity(
                "ports.open_redis",
                host=host.name,
                what="a Redis here answers without a password, "
                + ("on every address" if everywhere else "to everybody who is logged in"),
                fix="in redis.conf: requirepass PASSWORD and bind 127.0.0.1, then: "
                f"sudo systemctl restart {name}; or remove it: "
                + words(facts.os).sudo("remove", packages=name),
            )
