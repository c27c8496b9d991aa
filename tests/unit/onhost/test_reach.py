"""Do hosts reach each other: the program on this machine."""

from __future__ import annotations

import socket
import time
from typing import Any

from toolkit.onhost import reach


def meet(**payload: Any) -> dict[str, Any]:
    whole = {"seconds": 0.5, "listen": [], "connect": [], "names": []} | payload
    found: dict[str, Any] = reach.main(whole)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def to(port: int) -> dict[str, Any]:
    return {"address": "127.0.0.1", "port": port, "target": "x", "setting": "x_port"}


def test_a_port_that_it_listens_on_is_open_and_closed_afterwards() -> None:
    port, begun = free_port(), time.monotonic()
    found = meet(seconds=5, listen=[[port, 1]], connect=[to(port)])
    assert (found["listening"], found["links"][0]["result"]) == ([port], "open")
    assert time.monotonic() - begun < 2  # it does not wait when everybody has come
    assert meet(connect=[to(port)])["links"][0]["result"] == "refused"


def test_a_port_that_something_has_is_left_alone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        found = meet(listen=[[port, 1]], connect=[to(port)])
    assert (found["listening"], found["links"][0]["result"]) == ([], "open")


def test_names() -> None:
    found = meet(names=["localhost", "no-such-host.invalid"])["names"]
    assert "127.0.0.1" in found["localhost"]
    assert found["no-such-host.invalid"] == []
