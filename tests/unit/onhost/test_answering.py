"""Ports that answer and that do not; the sockets are real."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.onhost.answering import silent


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """A port that takes one connection and answers it; None leaves it waiting."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(answer or b"")

        if answer is not None:
            threading.Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_ports_that_take_a_connection_and_answer_nothing() -> None:
    with listening(b"HTTP/1.0 500\r\n\r\n") as web, listening(b"") as tls, listening(None) as hangs:
        with socket.create_server(("127.0.0.1", 0)) as gone:
            closed = gone.getsockname()[1]
        assert silent([web, tls, closed, hangs], 0.5) == [hangs]
