"""What Ansible is given about connections beside the inventory."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster import Cluster, Host, Inventory
from toolkit.hosts import ssh_config
from toolkit.run import connecting

KNOWN = "-o 'UserKnownHostsFile="


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh_config, "_configured", lambda: False)


def cluster(directory: Path, **hosts: dict[str, Any]) -> Cluster:
    members = tuple(Host(name, ("scheduler",), of) for name, of in hosts.items())
    return Cluster(Inventory((directory,)), members)


def overrides(found: list[str]) -> dict[str, dict[str, Any]]:
    assert found[0] == "--ssh-extra-args"
    if len(found) == 2:
        return {}
    given = json.loads(found[3])
    each: dict[str, dict[str, Any]] = given.pop("toolkit_connections")
    assert given == {n: f"{{{{ toolkit_connections.{n}[inventory_hostname] }}}}" for n in each}
    return each


def test_an_ordinary_inventory_gets_the_accepted_keys_alone(tmp_path: Path) -> None:
    found = connecting.arguments(cluster(tmp_path, h1={"ansible_host": "10.0.0.1"}))
    assert overrides(found) == {}
    assert found[1].startswith(KNOWN)
    assert found[1].endswith("-o StrictHostKeyChecking=yes")


def test_a_user_s_extra_arguments_do_not_push_out_the_accepted_keys(tmp_path: Path) -> None:
    found = cluster(tmp_path, h1={"ansible_ssh_extra_args": "-o LogLevel=QUIET"}, h2={})
    args = overrides(connecting.arguments(found))["ansible_ssh_args"]
    assert args["h1"].startswith(KNOWN)
    assert args["h1"].endswith("-o LogLevel=QUIET")
    assert "ControlPersist" in args["h2"]


def test_jump_hosts_keys_are_the_cluster_s_as_well(tmp_path: Path) -> None:
    jumps = "-F none -o ProxyJump=a@one:23,b@two"
    found = cluster(tmp_path, h1={"ansible_ssh_common_args": jumps})
    words = shlex.split(overrides(connecting.arguments(found))["ansible_ssh_args"]["h1"])
    name, _, proxy = words[1].partition("=")
    assert name == "ProxyCommand"
    last = shlex.split(proxy)
    assert last[:3] == ["ssh", "-F", "none"]
    assert f'UserKnownHostsFile="{tmp_path / "known_hosts"}"' in last
    assert last[-5:] == ["-l", "b", "-W", "[%h]:%p", "two"]
    first = shlex.split(next(word for word in last if word.startswith("ProxyCommand=")))
    assert first[-7:] == ["-p", "23", "-l", "a", "-W", "[%%h]:%%p", "one"]


def test_ssh_takes_the_arguments_as_they_are_given(tmp_path: Path) -> None:
    """OpenSSH refuses -J beside a proxy command, and of two options of a name it takes the first."""
    given = {
        "ansible_ssh_args": "-F none -C",
        "ansible_ssh_common_args": "-J bob@gate -o ServerAliveInterval=7",
        "ansible_ssh_extra_args": "-o UserKnownHostsFile=/other",
    }
    each = overrides(connecting.arguments(cluster(tmp_path, h1=given)))
    assert each["ansible_ssh_common_args"] == each["ansible_ssh_extra_args"] == {"h1": ""}
    words = shlex.split(each["ansible_ssh_args"]["h1"])
    asked = subprocess.run(["ssh", "-G", *words, "h1"], capture_output=True, text=True, check=True)
    found = dict(line.split(" ", 1) for line in asked.stdout.splitlines())
    assert found["proxycommand"].endswith("-l bob -W '[%h]:%p' gate")
    assert found["serveraliveinterval"] == "7"
    assert found["userknownhostsfile"].strip('"') == str(tmp_path / "known_hosts")


def test_kinds_that_the_toolkit_takes_as_ssh(tmp_path: Path) -> None:
    found = cluster(tmp_path, h1={"ansible_connection": "smart"},
                    h2={"ansible_connection": "paramiko_ssh"},
                    h3={"ansible_connection": "local"}, h4={})  # fmt: skip
    kinds = overrides(connecting.arguments(found))["ansible_connection"]
    assert kinds == {"h1": "ssh", "h2": "ssh", "h3": "local", "h4": "ssh"}


def test_root_on_this_machine_needs_no_sudo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.cluster.access._me", lambda: "root")
    found = cluster(tmp_path, h1={"ansible_connection": "local"}, h2={})
    assert overrides(connecting.arguments(found)) == {"ansible_become": {"h1": False, "h2": True}}


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({}, ""),
        ({"ansible_become_method": "su", "ansible_su_pass": "x"}, ""),
        ({"ansible_become_flags": "-H -S -n"}, ""),
        ({"ansible_become_flags": "--set-home -E"}, ""),
        ({"ansible_become_flags": "-g wheel"}, "sudo's -g wheel"),
        ({"ansible_become_method": "su", "ansible_su_flags": "-l"}, "gives su no arguments"),
        ({"ansible_private_key": "PEM"}, "from files only"),
    ],
)
def test_why_mitogen_is_done_without(
    tmp_path: Path, variables: dict[str, Any], reason: str
) -> None:
    reasons = connecting.plain_reasons(cluster(tmp_path, h1=variables))
    assert bool(reasons) == bool(reason)
    assert reason in " ".join(reasons)


def test_passwords_are_known_to_be_masked(tmp_path: Path) -> None:
    found = cluster(tmp_path, h1={"ansible_ssh_pass": "a1", "ansible_become_pass": "b2"})
    assert connecting.passwords(found) == {"a1", "b2"}
