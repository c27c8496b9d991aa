"""What the host must reach: the package index, the distribution's mirrors, servers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from toolkit.checks.common import answering, error, host_rule, listed, warning
from toolkit.checks.peers import misnamed
from toolkit.cluster import Cluster, planner
from toolkit.cluster.lock import release_name
from toolkit.cluster.tables import with_sudo, words
from toolkit.cluster.topology import reports_to_web
from toolkit.findings import Finding
from toolkit.hosts.facts import Probe
from toolkit.hosts.tried import PortCheck, Reach, UrlCheck

_CAUSES: Mapping[str, str] = {
    "dns": "its name is not known there",
    "refused": "it refuses connections",
    "timeout": "it does not answer",
    "tls": "its certificate is not trusted there",
    "http": "it answers with HTTP status",
    "error": "there is no way to it",
}


@host_rule
def index(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Environments are built from the package index, unless the one wanted is there already."""
    wanted = release_name(cluster)
    for host, facts in answering(cluster, probe):
        if wanted in facts.airflow.built:
            continue
        for url in facts.urls:
            if url.role == "index" and url.result != "ok":
                yield error(
                    "network.index",
                    host=host.name,
                    what=f"cannot read the package index {url.url}: {_cause(url)}",
                    fix=_index_fix(url),
                )


def _index_fix(url: UrlCheck) -> str:
    if url.result == "tls":
        return (
            "name the certificate of your proxy or index, a PEM file on this machine: "
            "base_ca_certificates: [FILE]"
        )
    if url.result == "http":
        return (
            "python_index_url has to be the root of a simple API that has apache-airflow, with "
            "user and password in it where they are needed"
        )
    return (
        "set python_index_url to an index that the host reaches, or the proxy it has to use: "
        "python_environment: {HTTPS_PROXY: http://PROXY:PORT}"
    )


@host_rule
def mirrors(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """One package source that cannot be read makes apt's update fail as a whole."""
    for host, facts in answering(cluster, probe):
        # A host that is installed already has its packages.
        severity = warning if facts.airflow.configured else error
        for url in facts.urls:
            if url.role == "mirror" and url.result != "ok":
                yield severity(
                    "network.mirror",
                    host=host.name,
                    what=f"cannot read the package source {url.url} ({url.where}): {_cause(url)}",
                    fix=f"correct or remove it in {url.where} on the host, or set apt's proxy "
                    "(Acquire::http::Proxy in /etc/apt/apt.conf.d/)",
                )


@host_rule
def proxies(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Only where the settings name a proxy, the role says what goes past it."""
    for host, facts in answering(cluster, probe):
        found = facts.system.proxies
        chosen = cluster.setting("airflow_environment", host)
        chosen = (
            {str(name).lower(): str(value) for name, value in chosen.items()}
            if isinstance(chosen, dict)
            else {}
        )
        if not found.names or set(chosen) & planner.PROXIES or not reports_to_web(cluster, host):
            continue
        url = urlsplit(cluster.web_server(host)["api"])
        web = url.hostname or ""
        counting = {f"{url.scheme}_proxy", "all_proxy"} & {name.lower() for name in found.names}
        if counting and not _is_direct(web, f"{found.direct},{chosen.get('no_proxy', '')}"):
            yield error(
                "network.proxy",
                host=host.name,
                what=f"systemd gives {listed(found.names)} to every service, and tasks would reach the web "
                f"server at {web} through that proxy",
                fix="name the proxy in the settings, which keep the cluster's own traffic out of it: "
                f"airflow_environment: {{{found.names[0]}: http://PROXY:PORT}}",
            )


def _is_direct(address: str, direct: str) -> bool:
    """Whether a value of NO_PROXY names an address, or a domain that it is in."""
    entries = [
        re.sub(r"^([^:]+):\d+$", r"\1", entry.strip().lstrip("*.")) for entry in direct.split(",")
    ]
    return "*" in direct.split(",") or any(
        entry and (address == entry or address.endswith(f".{entry}")) for entry in entries
    )


@host_rule
def servers(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Database and broker: those outside must answer, those to come must not be walled off."""
    for host, facts in answering(cluster, probe):
        for port in facts.ports:
            if port.peer and port.result not in ("open", "refused"):
                yield _peer(host.name, port)
            elif not port.peer and port.result != "open":
                yield _external(host.name, port)


def _peer(host: str, port: PortCheck) -> Finding:
    return error(
        "network.peer",
        host=host,
        what=f"cannot reach {port.peer} at {port.host} port {port.port}: {_cause(port)}",
        why=f"this host needs group {port.role}'s server there",
        fix=(
            "correct the DNS or /etc/hosts there"
            if port.result == "dns"
            else "open the port in the firewall or security group"
        )
        + f", or set base_address of {port.peer} to the address that the other hosts reach it at",
    )


@host_rule
def firewalls(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """The probe listened on the other host, so whatever is in between is to blame."""
    reported = {
        (host.name, port.peer, port.port)
        for host, facts in answering(cluster, probe)
        for port in facts.ports
        if port.result not in ("open", "refused")
    }
    wrong = {(one.source, one.name) for one in misnamed(probe)}
    for link in probe.reach:
        blocked = link.result in ("timeout", "error") or (
            link.result == "refused" and link.listened
        )
        if (link.source, link.address) in wrong:
            continue
        if blocked and (link.source, link.target, link.port) not in reported:
            how = (
                "is rejected"
                if link.result == "refused"
                else f"does not get through ({link.detail})"
            )
            yield error(
                "network.firewall",
                host=link.target,
                what=f"port {link.port} is closed to {link.source}: a connection to {link.address} {how}"
                + (", though the check listened there" if link.listened else ""),
                fix=f"open it to {link.source}: "
                + ", or ".join(with_sudo(command) for _, command in _openers(probe, link))
                + f", or in the security group; {link.setting} moves it",
                remedy=_open_port(_openers(probe, link)),
            )


def _openers(probe: Probe, link: Reach) -> list[tuple[str, str]]:
    """The firewalls of the target's distribution: what succeeds where one is active, what opens it."""
    target = probe.facts.get(link.target)
    firewalls = words(target.os if target else None).firewalls
    return [(one.active, one.open.format(port=link.port)) for one in firewalls]


def _open_port(openers: list[tuple[str, str]]) -> str:
    """A shell command that opens a port in whichever firewall is active."""
    branches = "".join(f"if {active}; then {command}; el" for active, command in openers)
    return branches + (
        "se echo 'no firewall that the distribution knows is active here: see nft list ruleset, "
        "and the security group' >&2; exit 1; fi"
    )


def _external(host: str, port: PortCheck) -> Finding:
    setting = f"{port.role}_url"
    return error(
        "network.external",
        host=host,
        what=f"cannot reach {port.host} port {port.port}: {_cause(port)}",
        why=f"{setting} names it",
        fix=f"correct {setting}, start the server, or open the way to it; "
        f"on the host: nc -vz {port.host} {port.port}",
    )


def _cause(check: UrlCheck | PortCheck) -> str:
    text = _CAUSES.get(check.result, check.result)
    return f"{text} {check.detail}" if check.result == "http" else f"{text} ({check.detail})"
