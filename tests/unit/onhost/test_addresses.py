"""Names of hosts and their addresses, as a host knows them."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from toolkit.onhost import addresses

KNOWN = {
    "db": ["10.0.0.5"],
    "both": ["fd00::5", "10.0.0.5"],
    "debian": ["127.0.1.1"],
    "half": ["127.0.1.1", "10.0.0.7"],
    "local": ["fe80::1%eth0", "169.254.3.4", "::1"],
}


@pytest.fixture(autouse=True)
def resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(name: str, *_: Any) -> list[Any]:
        if name not in KNOWN:
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, f"{name}.example", (text, 0)) for text in KNOWN[name]]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(
        addresses, "own", lambda: ["10.0.0.5", "127.0.0.1", "::1", "fe80::1", "fd00::5"]
    )


@pytest.mark.parametrize(("names", "found"), [
    (["10.0.0.9", "db"], ["10.0.0.9", "10.0.0.5"]),
    (["db", "both", "db"], ["10.0.0.5", "fd00::5"]),
    (["half"], ["10.0.0.7"]),
    (["::9"], ["::9"]),
    ([], []),
])  # fmt: skip
def test_clients_are_let_in_by_their_addresses(names: list[str], found: list[str]) -> None:
    assert addresses.clients(names) == (found, "")


@pytest.mark.parametrize("name", ["nosuch", "debian", "local", "", "a" * 70])
def test_clients_whose_names_lead_nowhere(name: str) -> None:
    found, problem = addresses.clients(["db", name])
    assert found == ["10.0.0.5"]
    assert problem.startswith(f"{name}: hosts that use this server")
    assert "fix: base_address: ADDRESS" in problem


@pytest.mark.parametrize(("name", "found"), [
    ("10.0.0.5", ["10.0.0.5"]),
    ("203.0.113.7", ["203.0.113.7"]),  # what is set counts
    ("db", ["10.0.0.5"]),
    ("both", ["10.0.0.5", "fd00::5"]),
    ("debian", ["10.0.0.5", "fd00::5"]),
    ("half", ["10.0.0.5", "fd00::5"]),  # that address is another host's
    ("nosuch", ["10.0.0.5", "fd00::5"]),
])  # fmt: skip
def test_a_server_listens_where_others_reach_it(name: str, found: list[str]) -> None:
    assert addresses.listening(name) == found


@pytest.mark.parametrize(("hostname", "name"), [("db", "db.example"), ("nosuch", "nosuch")])
def test_the_name_that_airflow_gives_a_host(
    monkeypatch: pytest.MonkeyPatch, hostname: str, name: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    assert addresses.airflow_name() == name


def test_own_addresses_are_those_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert "127.0.0.1" in addresses.own()
