"""This machine's address as others see it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from toolkit.errors import ToolkitError
from toolkit.providers.ec2 import network


@contextmanager
def answering(body: bytes) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for body, found in {
        b"203.0.113.7\n": "203.0.113.7/32",
        b"2001:db8::1": "2001:db8::1/128",
    }.items():
        with answering(body) as service:
            assert network.own_network(service) == found
    with answering(b"<html>login</html>") as service, pytest.raises(ToolkitError, match="access"):
        network.own_network(service)
