"""Whether hosts reach each other; runs on all of them at the same time, sent there over SSH.

Each listens for a moment on those ports that it is to serve and that are free, and connects to the
ports of the others. So a firewall is distinguished from a server that is not there yet. Standard
library only, any Python from 3.6 on, ASCII.
"""

import errno
import socket
import threading
import time

PAUSE = 0.1  # seconds between attempts: the other host may not listen yet


def main(payload):
    """Listen, connect, resolve; ends as soon as everybody who is expected has come."""
    deadline = time.time() + payload["seconds"]
    sockets, listening = [], []
    for port, expected in payload["listen"]:
        server = listen(port)
        if server:
            sockets.append((server, expected))
            listening.append(port)
    results = [
        dict(link, result="timeout", detail="no answer in time") for link in payload["connect"]
    ]
    names = {}
    threads = [threading.Thread(target=serve, args=(*item, deadline)) for item in sockets]
    threads += [threading.Thread(target=connect, args=(entry, deadline)) for entry in results]
    threads += [threading.Thread(target=resolve, args=(name, names)) for name in payload["names"]]
    for thread in threads:
        thread.daemon = True
        thread.start()
    for thread in threads:
        thread.join(max(0, deadline + 0.5 - time.time()))
    for server, _ in sockets:
        server.close()
    return {
        "listening": listening,
        "links": [dict(entry) for entry in results],
        "names": dict(names),
    }


def listen(port):
    """A socket that listens on every address; None where something has the port already."""
    for family, address in ((socket.AF_INET6, "::"), (socket.AF_INET, "0.0.0.0")):
        try:
            server = socket.socket(family, socket.SOCK_STREAM)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            server.bind((address, port))
            server.listen(64)
            return server
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return None
    return None


def serve(server, expected, deadline):
    """Take in as many connections as there are hosts that need this port."""
    while expected and time.time() < deadline:
        server.settimeout(max(0.01, deadline - time.time()))
        try:
            connection, _ = server.accept()
        except OSError:
            return
        connection.close()
        expected -= 1


def connect(entry, deadline):
    """Try until it works or the time is over; what came of it, into the entry."""
    while True:
        left = deadline - time.time()
        try:
            socket.create_connection((entry["address"], entry["port"]), max(0.1, left)).close()
            entry.update(result="open", detail="")
            return
        except socket.gaierror as error:
            entry.update(result="dns", detail=error.strerror)
        except ConnectionRefusedError as error:
            entry.update(result="refused", detail=error.strerror)
        except socket.timeout:
            entry.update(result="timeout", detail="no answer in time")
        except OSError as error:
            entry.update(result="error", detail=error.strerror or str(error))
        if left < PAUSE:
            return
        time.sleep(PAUSE)


def resolve(name, names):
    """The addresses that a name has here, [] when it has none."""
    try:
        names[name] = sorted({found[4][0] for found in socket.getaddrinfo(name, None)})
    except OSError:
        names[name] = []
