"""The probe on this machine, sent as it is sent to a host."""

from __future__ import annotations

import http.server
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from support.onhost import run

from toolkit.hosts.facts import Facts
from toolkit.onhost import probe


class Index(http.server.BaseHTTPRequestHandler):
    """A package index that wants a password on one page, has nothing on another, and is slow once."""

    busy: ClassVar = {"/once-slow/": 1, "/slow/": 9}

    def do_GET(self) -> None:
        if self.busy.get(self.path):
            self.busy[self.path] -= 1
            time.sleep(3)
            return
        expected = "Basic dXNlcjpwQHNz"  # user:p@ss
        secret = self.path == "/private/" and self.headers["Authorization"] != expected
        self.send_response(401 if secret else 404 if self.path.endswith("InRelease") else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[int]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def test_facts_of_this_machine(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        found = run(
            "probe", {"paths": [str(tmp_path / "not" / "there")], "interpreter": sys.executable}
        )
    facts = Facts.from_json(found | {"sent": 0.0, "received": 0.0})
    assert facts.errors == {}
    assert facts.os
    assert facts.os.id
    assert facts.machine
    assert facts.machine.uid == os.getuid()
    assert facts.memory
    assert facts.memory.total_mb > facts.memory.available_mb > 0
    assert facts.network
    assert facts.network.hostname == socket.gethostname()
    assert "127.0.0.1" in facts.network.addresses
    (path,) = facts.paths
    assert (path.exists, path.device) == (False, tmp_path.stat().st_dev)
    assert path.total_mb >= path.free_mb > 0
    (ours,) = [entry for entry in facts.listeners if entry.port == port]
    assert (ours.pid, ours.address) == (os.getpid(), "127.0.0.1")
    (wanted,) = [python for python in facts.pythons if python.wanted]
    assert wanted.version == ".".join(str(part) for part in sys.version_info[:3])
    assert wanted.minor == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert found["clock_start"] <= found["clock_end"]


def test_urls_and_ports_as_seen_from_here(index: int) -> None:
    closed, base = closed_port(), f"http://127.0.0.1:{index}"
    found = run(
        "probe",
        {
            "urls": [
                {"url": f"{base}/simple/", "role": "index"},
                {"url": f"http://user:p%40ss@127.0.0.1:{index}/private/", "role": "index"},
                {"url": f"http://user:bad@127.0.0.1:{index}/private/", "role": "index"},
                {"url": f"http://127.0.0.1:{closed}/", "role": "index"},
                {"url": f"{base}/dists/bookworm/InRelease", "role": "mirror"},
                {"url": f"{base}/once-slow/", "role": "index"},
                {"url": f"{base}/slow/", "role": "index"},
            ],
            "timeout": 1,
            "ports": [
                {"host": "127.0.0.1", "port": index, "role": "broker"},
                {"host": "127.0.0.1", "port": closed, "role": "broker"},
            ],
        },
    )
    facts = Facts.from_json(found)
    assert [(url.result, url.detail) for url in facts.urls] == [
        ("ok", ""),
        ("ok", ""),
        ("http", "401"),
        ("refused", "Connection refused"),
        ("ok", ""),
        ("ok", ""),
        ("timeout", "no answer in time"),
    ]
    assert facts.urls[1].url == f"{base}/private/"
    assert [port.result for port in facts.ports] == ["open", "refused"]


def test_one_part_that_fails_leaves_the_others() -> None:
    found = probe.main({"paths": [7]})
    assert list(found["errors"]) == ["paths"]
    assert "memory" in found
