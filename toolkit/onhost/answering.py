"""Ports that take a connection and say nothing."""

import socket

from toolkit.onhost.lib import in_parallel, listening


def silent(numbers, patience):
    """Those of the ports that take a connection and then say nothing for `patience` seconds.

    Each is one of HTTP. A server of TLS ends the connection or sends an alert, which is an answer as well.
    """
    places = {port: address for address, port in listening().values()}
    there = [port for port in numbers if port in places]
    # A second more than each has, so that none is only late here.
    calls = [(says_nothing, places[port], port, patience) for port in there]
    found = in_parallel(calls, patience + 1, [True] * len(calls))
    return [port for port, is_silent in zip(there, found) if is_silent]


def connected(address, port, patience):
    """A connection to a listening socket of this host."""
    here = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)
    return socket.create_connection((here, port), timeout=patience)


def says_nothing(address, port, patience):
    """Whether nothing at all answers a request of HTTP, where a connection is taken."""
    try:
        with connected(address, port, patience) as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            connection.recv(1)
    except socket.timeout:
        return True
    except OSError:
        pass
    return False
