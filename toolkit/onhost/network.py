"""Names and addresses of a host, what listens there, and which ports elsewhere it reaches."""

import socket

from toolkit.onhost import addresses
from toolkit.onhost.lib import in_parallel, listening
from toolkit.onhost.processes import process, socket_owners

LATE = {"result": "timeout", "detail": "no answer in time"}
REDIS_PORT = 6379


def network_names():
    """What this host is called and which addresses are its own."""
    (fqdn,) = in_parallel([(addresses.airflow_name,)], 2, [""])
    return {
        "hostname": socket.gethostname(),
        "fqdn": fqdn,
        "addresses": addresses.own(),
    }


def listeners():
    """Listening TCP ports with their processes."""
    sockets = listening()
    owners = socket_owners(set(sockets))
    found = []
    for inode, (address, port) in sockets.items():
        entry = {"port": port, "address": address}
        entry.update(process(owners[inode]) if inode in owners else {})
        found.append(entry)
    return sorted(found, key=lambda entry: (entry["port"], entry["address"]))


def open_redis():
    """Where a Redis here listens, "loopback" or "everywhere", when it wants no password; else ""."""
    found = {address for address, port in listening().values() if port == REDIS_PORT}
    if not found or not answers_redis():
        return ""
    return "loopback" if found <= {"127.0.0.1", "::1"} else "everywhere"


def answers_redis():
    """Whether a Redis at this host's loopback address answers without a password."""
    try:
        with socket.create_connection(("127.0.0.1", REDIS_PORT), timeout=2) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
    except OSError:
        return False


def network_wait(payload):
    """Seconds for all of the network: a resolver asks again after 5, then come connect and read.

    All of it again with twice the time, as ask_for does.
    """
    return 6 * payload.get("timeout", 4) + 4


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
    """An exception of the network as a class that rules can use, and its text."""
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
