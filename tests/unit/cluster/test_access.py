"""How a host is logged in to: names, their order, what is refused and where."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from toolkit.cluster import Cluster
from toolkit.cluster.access import Access
from toolkit.errors import ToolkitError

HOSTS = "scheduler:\n  hosts:\n    h1:\n"


def access(**variables: Any) -> Access:
    return Access("h1", variables)


def load(directory: Path, *lines: str) -> Cluster:
    text = HOSTS + "".join(f"      {line}\n" for line in lines)
    (directory / "hosts.yml").write_text(text)
    return Cluster.load(directory)


@pytest.mark.parametrize(
    ("variables", "attribute", "value"),
    [
        ({"ansible_ssh_host": "10.0.0.1"}, "address", "10.0.0.1"),
        ({"ansible_ssh_host": "10.0.0.1", "ansible_host": "10.0.0.2"}, "address", "10.0.0.1"),
        ({}, "address", "h1"),
        ({"ansible_ssh_port": "2222"}, "port", 2222),
        ({"ansible_ssh_user": "bob", "ansible_user": "eve"}, "user", "bob"),
        ({"ansible_private_key_file": "/k"}, "key_file", Path("/k")),
        ({"ansible_password": "a", "ansible_ssh_pass": "b"}, "password", "b"),
        ({"ansible_ssh_password": "c", "ansible_ssh_pass": "b"}, "password", "c"),
        ({"ansible_password": 1234}, "password", "1234"),
        ({"ansible_ssh_private_key": "PEM"}, "key_text", "PEM"),
        ({"ansible_ssh_timeout": 3}, "timeout", 3.0),
        ({"ansible_ssh_host_key_checking": "no"}, "checks_host_key", False),
        ({"ansible_become_method": "ansible.builtin.su"}, "become_method", "su"),
        ({"ansible_become_method": "su", "ansible_su_pass": "r"}, "become_password", "r"),
        ({"ansible_become_method": "su", "ansible_sudo_pass": "r"}, "become_password", None),
        ({"ansible_become_pass": "a", "ansible_become_password": "b"}, "become_password", "a"),
        ({"ansible_sudo_exe": "/opt/sudo"}, "become_program", "/opt/sudo"),
        ({"ansible_become_method": "doas"}, "become_program", "doas"),
        ({"ansible_become_password": "{{ lookup('env', 'P') }}"}, "become_password", None),
        ({"ansible_connection": "ansible.builtin.local"}, "local", True),
        ({"ansible_connection": "paramiko"}, "local", False),
    ],
)
def test_what_ansible_takes(variables: dict[str, Any], attribute: str, value: object) -> None:
    assert getattr(access(**variables), attribute) == value


def test_the_environment_counts_where_no_variable_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_REMOTE_USER", "bob")
    monkeypatch.setenv("ANSIBLE_SUDO_PASS", "pw")
    monkeypatch.setenv("ANSIBLE_REMOTE_PORT", "2022")
    assert (access().user, access().become_password, access().port) == ("bob", "pw", 2022)
    assert access(ansible_user="eve").user == "eve"


def test_a_wrong_environment_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_REMOTE_PORT", "ssh")
    with pytest.raises(ToolkitError, match="ANSIBLE_REMOTE_PORT of host h1 has to be a TCP port"):
        load(tmp_path)


def test_whoever_runs_the_toolkit_is_the_user_of_this_machine() -> None:
    here = access(ansible_connection="local", ansible_user="eve")
    assert here.user == __import__("pwd").getpwuid(os.geteuid()).pw_name


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (("ansible_connection: docker",), "ansible_connection of host h1 is docker"),
        (("ansible_connection: community.docker.docker",), "which is not supported"),
        (("ansible_connection: winrm",), "which is not supported"),
        (("ansible_connection: paramiko", "ansible_paramiko_user: bob"), "paramiko_ssh alone"),
        (("ansible_become: false",), "forbids user of the login to become root"),
        (("ansible_become: 'no'", "ansible_user: bob"), "forbids user bob to become root"),
        (("ansible_become_user: airflow",), "ansible_become_user of host h1 is airflow"),
        (("ansible_sudo_user: airflow",), "ansible_sudo_user of host h1 is airflow"),
        (("ansible_become_method: pbrun",), "is pbrun, a become method that is not supported"),
        (("ansible_become_method: community.general.machinectl",), "is community.general.machi"),
        (("ansible_become_method: runas",), "not supported"),
        (('ansible_ssh_common_args: "-o ProxyCommand=\'x"',), "each quote closed, not"),
        (("ansible_ssh_extra_args: '\"'",), "each quote closed"),
        (('ansible_become_flags: "-H \'"',), "each quote closed"),
        (("ansible_ssh_pkcs11_provider: /lib/x.so",), "names a token"),
        (("ansible_shell_type: powershell",), "POSIX shell"),
        (("ansible_ssh_port: ssh",), "ansible_ssh_port of host h1 has to be a TCP port"),
        (("ansible_ssh_host: ''",), "ansible_ssh_host of host h1 has to be an address"),
        (("ansible_private_key_file: 3",), "ansible_private_key_file of host h1 has to be a path"),
        (("ansible_become: perhaps",), "ansible_become of host h1 has to be true or false"),
        (("ansible_ssh_user: '{{ x }}'",), "is a template"),
    ],
)
def test_what_is_refused(tmp_path: Path, lines: tuple[str, ...], says: str) -> None:
    with pytest.raises(ToolkitError) as refused:
        load(tmp_path, *lines)
    assert says in refused.value.what
    assert str(refused.value.where).startswith(str(tmp_path / "hosts.yml"))
    assert refused.value.fix


@pytest.mark.parametrize(
    "lines",
    [
        ("ansible_become: false", "ansible_user: root"),
        ("ansible_become_method: pbrun", "ansible_user: root"),
        ("ansible_become_user: root",),
        ("ansible_connection: smart",),
        ("ansible_become_method: sudo", "ansible_su_user: eve"),  # of a method that is not used
        ("ansible_shell_type: sh",),
    ],
)
def test_what_is_not_refused(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert load(tmp_path, *lines).all_hosts


def test_others_reach_a_host_where_ssh_does(tmp_path: Path) -> None:
    (host,) = load(tmp_path, "ansible_ssh_host: 10.0.0.7").all_hosts
    assert host.base_address == "10.0.0.7"
