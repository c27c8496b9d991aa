"""Routes by OpenSSH's own reading of real configuration files."""

from __future__ import annotations

import getpass
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster.access import Access
from toolkit.hosts import HostProblem, ssh_config
from toolkit.hosts.ssh_config import Route, home, route

CONFIG = """
Include {directory}/config.d/*
Host inner
  HostName 10.0.0.9
  ProxyJump bob@gate:2200,second
  IdentityFile ~/.ssh/for_%h
  IdentityFile /keys/%r
  CertificateFile /keys/cert.pub
  HostKeyAlias the-inner
  IdentityAgent /run/agent.sock
  IdentitiesOnly yes
  ConnectTimeout 7
Host command
  ProxyCommand nc -X connect %h %p 100%%
Match originalhost matched
  HostName 10.1.1.1
  Port 2022
Host chain1
  ProxyJump chain2
Host chain2
  ProxyJump chain1
"""
INCLUDED = "Host gate\n  User carl\n  HostName 192.0.2.1\nHost second\n  Port 2201\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "config.d").mkdir()
    (tmp_path / "config.d" / "hosts").write_text(INCLUDED)
    path = tmp_path / "config"
    path.write_text(CONFIG.format(directory=tmp_path))
    return path


def to(config: Path, name: str, **variables: Any) -> Route:
    return route(Access(name, {"ansible_ssh_common_args": f"-F {config}", **variables}))


def test_without_a_configuration_ssh_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "_configured", lambda: False)
    monkeypatch.setattr(ssh_config, "_answer", lambda *_: pytest.fail("it was"))
    plain = route(Access("h1", {"ansible_host": "10.0.0.1", "ansible_user": "bob"}))
    assert (plain.address, plain.port, plain.user, plain.jumps) == ("10.0.0.1", 22, "bob", ())
    assert str(home() / ".ssh/id_ed25519") in plain.keys
    named = route(Access("h1", {"ansible_private_key_file": "/k", "ansible_ssh_port": 2222}))
    assert (named.keys, named.port) == (("/k",), 2222)


def test_everything_that_a_host_s_block_says(config: Path) -> None:
    found = to(config, "inner", ansible_user="dora")
    assert (found.address, found.user, found.alias) == ("10.0.0.9", "dora", "the-inner")
    assert found.keys == (f"{home()}/.ssh/for_10.0.0.9", "/keys/dora")
    assert found.certificates == ("/keys/cert.pub",)
    assert (found.agent, found.identities_only, found.timeout) == ("/run/agent.sock", True, 7.0)


def test_jump_hosts_are_read_from_the_same_configuration(config: Path) -> None:
    first, second = to(config, "inner").jumps
    assert (first.address, first.port, first.user) == ("192.0.2.1", 2200, "bob")
    assert (second.address, second.port, second.user) == ("second", 2201, getpass.getuser())


def test_the_inventory_wins_over_the_configuration(config: Path) -> None:
    found = to(config, "matched", ansible_port=2, ansible_ssh_private_key_file="/k")
    assert (found.address, found.port, found.keys[0]) == ("10.1.1.1", 2, "/k")
    assert to(config, "h1", ansible_ssh_host="matched").port == 2022


def test_a_proxy_command_gets_what_ssh_would_give_it(config: Path) -> None:
    assert to(config, "command", ansible_port=2222).command == "nc -X connect command 2222 100%"


@pytest.mark.parametrize(
    ("arguments", "jumps"),
    [
        ("-C -J bob@gate:2222", [("bob", "gate", 2222)]),
        ("-Jssh://gate", [(getpass.getuser(), "gate", 22)]),
        ("-o ProxyJump=a,[fd00::1]:23 -o ServerAliveInterval=5",
         [(getpass.getuser(), "a", 22), (getpass.getuser(), "fd00::1", 23)]),
        ("-o 'ProxyJump gate'", [(getpass.getuser(), "gate", 22)]),
        ("-o ProxyJump=none", []),
        ("-J [fd00::1]", [(getpass.getuser(), "fd00::1", 22)]),
    ],
)  # fmt: skip
def test_jump_hosts_of_arguments(arguments: str, jumps: list[tuple[str, str, int]]) -> None:
    for variable in ("ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"):
        found = route(Access("h1", {variable: f"-F none {arguments}"}))
        assert [(hop.user, hop.address, hop.port) for hop in found.jumps] == jumps


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"ansible_ssh_extra_args": "-o NoSuch=1"}, "Bad configuration option: nosuch"),
        ({"ansible_ssh_common_args": "-F /no/such/file"}, "/no/such/file"),
        ({"ansible_ssh_common_args": "-Q"}, "ssh does not understand"),
        ({"ansible_ssh_common_args": "-o 'User a\0b'"}, "null byte"),
        (
            {"ansible_ssh_executable": "/no/ssh", "ansible_ssh_args": "-4"},
            "client /no/ssh cannot be started",
        ),
    ],
)
def test_what_ssh_refuses_is_one_sentence(variables: dict[str, Any], says: str) -> None:
    with pytest.raises(HostProblem) as refused:
        route(Access("h1", variables))
    assert refused.value.kind == "ssh_config"
    assert says in refused.value.what
    assert "\n" not in refused.value.what


def test_jump_hosts_in_a_circle(config: Path) -> None:
    with pytest.raises(HostProblem, match="circle"):
        to(config, "chain1")


@pytest.mark.parametrize(
    ("text", "matters"),
    [
        ("Include /etc/ssh/ssh_config.d/*.conf\nHost *\n    SendEnv LANG LC_*\n", False),
        ("# a comment\n\nHashKnownHosts yes\nGSSAPIAuthentication yes\n", False),
        ("Host *.internal\n  User eve\n", True),
        ("Host *\n  ProxyJump gate\n", True),
        ("Include /srv/ssh/*\n", True),
    ],
)
def test_what_distributions_configure_does_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, matters: bool
) -> None:
    (tmp_path / "ssh_config").write_text(text)
    monkeypatch.setattr(ssh_config, "SYSTEM", tmp_path / "ssh_config")
    monkeypatch.setattr(ssh_config, "home", lambda: tmp_path)
    ssh_config._configured.cache_clear()
    assert ssh_config._configured() is matters
    ssh_config._configured.cache_clear()


def test_many_hosts_are_asked_about_at_once(config: Path) -> None:
    accesses = [Access(f"h{n}", {"ansible_ssh_common_args": f"-F {config}"}) for n in range(100)]
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(route, accesses))) == 100
    asked = time.monotonic() - begun
    list(map(route, accesses))
    assert time.monotonic() - begun - asked < asked  # from memory
