"""Hosts compared with one another: clocks, names, addresses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence

from toolkit.checks.common import answering, error, host_rule, listed, note, warning
from toolkit.checks.thresholds import CLOCK_ERROR, CLOCK_WARNING
from toolkit.cluster import Cluster, Host
from toolkit.cluster.tables import words
from toolkit.cluster.topology import airflow_components, airflow_option
from toolkit.findings import Finding
from toolkit.hosts.facts import Facts, Probe
from toolkit.hosts.reach import LOOPBACK_NAMES
from toolkit.hosts.tried import Resolution
from toolkit.onhost.addresses import literal, usable

_SERVING = ("metadata_db", "broker", "webserver", "worker")
"""Groups whose hosts others connect to."""


@host_rule
def clocks(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Only a difference that slow answers cannot explain counts."""
    everyone = {host.name: facts for host, facts in _everyone(cluster, probe)}
    offsets = {name: facts.clock_offset for name, facts in everyone.items()}
    in_play = offsets.keys() - probe.outside.keys()
    if len(offsets) < 2 or not in_play:
        return

    def lead(pair: tuple[str, str]) -> float:
        """Seconds that the first is at least ahead of the second."""
        return offsets[pair[0]][0] - offsets[pair[1]][1]

    def first(names: Iterable[str]) -> str:
        return max(names, key=lambda name: offsets[name][0])

    def last(names: Iterable[str]) -> str:
        return min(names, key=lambda name: offsets[name][1])

    # Two hosts outside of the limit are none of this run's business.
    pairs = [(first(in_play), last(offsets)), (first(offsets), last(in_play))]
    ahead, behind = max(pairs, key=lead)
    difference = lead((ahead, behind))
    if difference > CLOCK_WARNING:
        severity = error if difference > CLOCK_ERROR else warning
        own = words(everyone[behind].os)
        yield severity(
            "peers.clock",
            host=behind,
            what=f"its clock is {difference:.1f} s or more behind that of {ahead}",
            fix="synchronise both clocks: "
            + own.sudo("install", packages=own.time_package)
            + " && sudo timedatectl set-ntp true",
            remedy=""
            if behind in probe.outside
            else "{ command -v chronyc >/dev/null || { "
            + own.command("install_quietly", packages=own.time_package)
            + "; }; } && timedatectl set-ntp true",
        )


@host_rule
def hostnames(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Airflow knows its hosts by their names."""

    def name(host: Host, facts: Facts) -> str:
        runs = airflow_components(cluster, host)
        return facts.network.hostname if runs and facts.network else ""

    for hostname, hosts in _alike(cluster, probe, name):
        yield error(
            "peers.hostname",
            host=hosts[0],
            what=f"{listed(hosts)} are all called {hostname}",
            fix=f"on each but one: sudo hostnamectl set-hostname NAME, for example {_newest(hosts, probe)}",
        )


@host_rule
def machine_ids(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Copies of one image that was not prepared for copying."""

    def machine_id(_: Host, facts: Facts) -> str:
        return facts.machine.id if facts.machine else ""

    for _, hosts in _alike(cluster, probe, machine_id):
        yield warning(
            "peers.machine_id",
            host=hosts[0],
            what=f"{listed(hosts)} have the same machine-id",
            fix=f"on each but one, such as {_newest(hosts, probe)}: sudo rm /etc/machine-id && "
            "sudo systemd-machine-id-setup, then reboot",
        )


def _alike(
    cluster: Cluster, probe: Probe, key: Callable[[Host, Facts], str]
) -> Iterator[tuple[str, list[str]]]:
    """Keys (other than "") that a host in play shares with another one, and these hosts."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for host, facts in _everyone(cluster, probe):
        found[key(host, facts)].append(host.name)
    for value, hosts in found.items():
        if value and len(hosts) > 1 and not probe.outside.keys() >= set(hosts):
            yield value, hosts


def _newest(hosts: Sequence[str], probe: Probe) -> str:
    """Of hosts that are alike the one to change: the last one in play, as the others work already."""
    return [name for name in hosts if name not in probe.outside][-1]


def _everyone(cluster: Cluster, probe: Probe) -> list[tuple[Host, Facts]]:
    """Hosts in play and, after them, those outside of the limit, as far as they answered."""
    outside = [host for host in cluster.all_hosts if host.name in probe.outside]
    return [*answering(cluster, probe), *((host, probe.outside[host.name]) for host in outside)]


@host_rule
def resolution(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """The web server looks for a task's log at the name that the worker gives itself."""
    for name in probe.names:
        own = _own_addresses(probe, name.target)
        if not name.connects and own and not set(own) & set(name.addresses):
            yield warning(
                "peers.resolution",
                host=name.source,
                what=f"{name.name}, as {name.target} calls itself, {_leads(name)} there",
                fix=_name_it(own, name),
            )


@host_rule
def names(_: Cluster, probe: Probe) -> Iterator[Finding]:
    """A base_address may be a name, and those who go by it must know it."""
    reported = {
        (host, port.host)
        for host, facts in probe.facts.items()
        for port in facts.ports
        if port.result == "dns"
    }
    for name in misnamed(probe):
        if (name.source, name.name) in reported:
            continue
        yield error(
            "peers.name",
            host=name.source,
            what=f"{name.name}, the base_address of {name.target}, {_leads(name)} there",
            fix=f"{_name_it(_own_addresses(probe, name.target), name)}; or set base_address of {name.target} "
            "to its address",
        )


def misnamed(probe: Probe) -> list[Resolution]:
    """Names of base_address that lead nowhere, or back to whoever asks. Others may be those of a gateway."""
    return [one for one in probe.names if one.connects and not usable(one.addresses)]


def _own_addresses(probe: Probe, host: str) -> list[str]:
    network = probe.facts[host].network
    return usable(network.addresses) if network else []


def _leads(name: Resolution) -> str:
    return f"leads to {listed(name.addresses)}" if name.addresses else "is not known"


def _name_it(own: list[str], name: Resolution) -> str:
    address = own[0] if own else "ADDRESS"
    return f"echo '{address} {name.name}' | sudo tee -a /etc/hosts, or correct the DNS"


@host_rule
def own_names(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A host that calls itself localhost: whoever asks for its logs asks itself."""
    if len([host for host in cluster.all_hosts if airflow_components(cluster, host)]) < 2:
        return
    for host, facts in answering(cluster, probe):
        network = facts.network
        if airflow_option(cluster, host, "core", "hostname_callable"):
            continue  # it asks something else than the host's name
        if network and network.fqdn in LOOPBACK_NAMES and airflow_components(cluster, host):
            name = network.hostname
            fix = (
                f"sudo sed -i -E '/^(127[.]|::1)/s/[[:space:]]{name}([[:space:]]|$)/ /' /etc/hosts && "
                f"echo '127.0.1.1 {name}' | sudo tee -a /etc/hosts"
            )
            if name in LOOPBACK_NAMES:
                fix = f"sudo hostnamectl set-hostname NAME, for example {host.name}"
            yield error(
                "peers.own_name",
                host=host.name,
                what=f"calls itself {network.fqdn}"
                + (f", as /etc/hosts has {name} on that line" if name != network.fqdn else ""),
                fix=fix,
            )


@host_rule
def addresses(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Servers listen on base_address and others connect to it, so it must be the host's own."""
    if len(cluster.all_hosts) < 2:
        return
    for host, facts in answering(cluster, probe):
        what = _wrong_address(host, facts) if set(_SERVING) & set(host.groups) else ""
        if what:
            yield error("peers.address", host=host.name, what=what, fix=_set_address(host, facts))


@host_rule
def local_address(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """A host without SSH needs no address, but those who use the web UI do."""
    if len(cluster.all_hosts) == 1:
        for host, facts in answering(cluster, probe):
            if _is_invented(host, facts):
                yield note(
                    "peers.local_address",
                    host=host.name,
                    what=f"the web UI is said to be at {cluster.web_address}, by a name that only "
                    "the inventory knows",
                    fix=_set_address(host, facts),
                )


def _wrong_address(host: Host, facts: Facts) -> str:
    """Why others do not reach a host at its base_address; "" where nothing is known against it."""
    address = literal(host.base_address)
    if not facts.network:
        return ""
    if host.base_address in LOOPBACK_NAMES or (address and address.is_loopback):
        return f"the other hosts cannot reach {host.base_address}, which is loopback"
    if address and str(address) not in facts.network.addresses:
        return f"{address} is none of this host's addresses"
    if _is_invented(host, facts):
        return f"the other hosts do not know {host.name}, a name that only the inventory knows"
    return ""


def _is_invented(host: Host, facts: Facts) -> bool:
    """Whether a host without SSH has a name that may well be the inventory's alone."""
    network = facts.network
    own = (network.hostname, network.fqdn, *network.addresses) if network else ()
    named = host.base_address != host.name or host.name in (*own, *LOOPBACK_NAMES)
    return host.access.local and bool(own) and not named


def _set_address(host: Host, facts: Facts) -> str:
    own = facts.network.addresses if facts.network else ()
    found = usable(own)
    return (
        f"set base_address: {found[0] if found else 'ADDRESS'} for {host.name} in "
        f"the inventory (it has {listed(found or own or ['none'])})"
    )
