"""A moto server for all tests, an empty account for each."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader
from support.cloud import EC2, Cloud, Front, handler
from support.managed import MANAGED


@pytest.fixture(scope="session", autouse=True)
def _parsed_once() -> Iterator[None]:
    """Each command makes its clients again; parsing AWS' API for them would be a third of all time."""
    parse = JSONFileLoader.load_file
    parsed = functools.cache(lambda path: parse(JSONFileLoader(), path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: parsed(path))
        yield


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A moto server; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    server = Path(__file__).parents[1] / "support/moto_more.py"
    log = tmp_path_factory.mktemp("moto") / "log"
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, server, "-H", "127.0.0.1", "-p", str(port)], stdout=file, stderr=file
        )
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            break
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.1)
    yield port
    process.terminate()
    process.wait()


@pytest.fixture(scope="session")
def session_front(moto: int) -> Iterator[Front]:
    front = Front()
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(front, moto))
    front.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield front
    server.shutdown()


@pytest.fixture
def front(session_front: Front, moto: int, monkeypatch: pytest.MonkeyPatch) -> Front:
    """An empty account, and the environment of somebody who may use it."""
    urllib.request.urlopen(f"http://127.0.0.1:{moto}/moto-api/reset", data=b"").close()
    session_front.reset()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{session_front.port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_CONFIG_FILE": "/nonexistent",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "3",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return session_front


@pytest.fixture
def cloud(front: Front, moto: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """A cluster of four hosts that exists on paper only."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = Cloud(tmp_path / "prod", front, moto)
    made.directory.mkdir()
    made.set(EC2)
    return made


@pytest.fixture
def managed(cloud: Cloud) -> Cloud:
    """Two hosts and two servers; Amazon's certificates were put there by somebody."""
    cloud.set(MANAGED)
    (cloud.directory / "rds-ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    return cloud
