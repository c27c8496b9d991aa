"""Addresses that are this host's, and those that it knows for the names of others.

Runs on the host: in the modules of roles, and in the toolkit's probe, which knows it as
toolkit/onhost/addresses.py. Standard library only, Python 3.6, and no import of ours.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable


def literal(text: str) -> "ipaddress.IPv4Address | ipaddress.IPv6Address | None":
    """An address; None for a name."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def own():
    """Every address of every interface, loopback included."""
    found = set(re.findall(r"\|-- (\S+)\n\s+/32 host LOCAL", _read("/proc/net/fib_trie")))
    for line in _read("/proc/net/if_inet6").splitlines():
        found.add(socket.inet_ntop(socket.AF_INET6, bytes(bytearray.fromhex(line.split()[0]))))
    return sorted(found)


def _read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def usable(addresses: "Iterable[str]") -> "list[str]":
    """Those that other hosts can have something to do with."""
    found = [(text, literal(text)) for text in addresses]
    return [text for text, one in found if one and not (one.is_loopback or one.is_link_local)]


def known(name):
    """The addresses that a name has here, but for loopback; of an address itself."""
    if literal(name):
        return [name]
    try:
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return usable(sorted({entry[4][0] for entry in found}))


def clients(names):
    """The addresses of hosts that use a server here, and why there are none: databases compare addresses.

    They would look up names in reverse, and whoever has the address rarely calls it the same.
    """
    found = [(name, known(name)) for name in names]
    unknown = [name for name, addresses in found if not addresses]
    problem = unknown and (
        "%s: hosts that use this server, and their names lead nowhere here; fix: base_address: ADDRESS "
        "of each in the inventory, or correct /etc/hosts or the DNS of this host"
        % ", ".join(unknown)
    )
    return list(dict.fromkeys(one for _, addresses in found for one in addresses)), problem or ""


def listening(name):
    """Where a server of this host listens for others, by its base_address.

    Debian gives a host's own name the address 127.0.1.1, which nobody else reaches.
    """
    here = set(own())
    found = [one for one in known(name) if literal(name) or one in here]
    return found or usable(sorted(here))


def airflow_name():
    """What Airflow calls this host where nobody chose otherwise (airflow.utils.net.getfqdn)."""
    name = socket.gethostname()
    try:
        found = socket.getaddrinfo(name, None, 0, socket.SOCK_DGRAM, 0, socket.AI_CANONNAME)
    except OSError:
        return name
    return next((entry[3] for entry in found if entry[3]), name)
