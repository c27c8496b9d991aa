"""What was tried from a host, and how it ended: URLs, ports, connections, names, a certificate."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class UrlCheck:
    """A URL as seen from the host.

    Attributes:
        url: without user and password.
        role: "index" or "mirror".
        where: the file on the host that names a mirror.
        result: ok, http (`detail` is the status), dns, refused, timeout, tls or error.
        detail: the cause in the system's words.
    """

    url: str = ""
    role: str = ""
    where: str = ""
    result: str = ""
    detail: str = ""


@dataclass(frozen=True)
class PortCheck:
    """A TCP port as seen from the host; `peer` is "" for one outside the cluster.

    `result` is open, refused (reached, nothing listens), dns, timeout or error.
    """

    host: str = ""
    port: int = 0
    role: str = ""
    peer: str = ""
    result: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Certificate:
    """What is wrong with the web server's certificate (onhost/certificates.py).

    Attributes:
        problem: missing, hidden (from the units, by ProtectHome=), unreadable (for the service user), early
            (there is no such user yet), pair, refused (by a client), untrusted (on other hosts) or "".
        path: of the file it is about.
        detail: OpenSSL's words.
        name: by which a client connects that refuses it.
        names: that it is for.
    """

    problem: str = ""
    path: str = ""
    detail: str = ""
    name: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reach:
    """A connection between two hosts that was tried.

    Attributes:
        source: who connected.
        target: to whom.
        address: as the source knows it.
        port: on the target.
        setting: which moves the port.
        result: open, refused, dns, timeout or error.
        detail: the cause in the system's words.
        listened: whether the probe listened there; otherwise something else has the port.
    """

    source: str
    target: str
    address: str
    port: int
    setting: str
    result: str
    detail: str
    listened: bool


@dataclass(frozen=True)
class Resolution:
    """A name that `source` needs to reach `target` by, and the addresses it has there.

    `connects` where it is the target's base_address, which servers and their clients go by; else it is
    the name that the target gives itself, by which logs are asked for.
    """

    source: str
    target: str
    name: str
    addresses: tuple[str, ...]
    connects: bool = False
