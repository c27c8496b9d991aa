"""The table of connection variables is Ansible's: the same names, in the same order."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ansible import constants

from toolkit.cluster.login import BECOME, CONNECTIONS, METHODS, OPTIONS

ANSIBLE_DOC = str(Path(sys.executable).with_name("ansible-doc"))
PLUGINS = {"sudo": "sudo", "su": "su", "doas": "community.general.doas"}
NO_MATTER = {
    "control_path", "control_path_dir", "password_mechanism", "pipelining", "reconnection_retries",
    "scp_executable", "scp_extra_args", "sftp_batch_mode", "sftp_executable", "sftp_extra_args",
    "ssh_transfer_method", "sshpass_prompt", "use_tty", "verbosity",
}  # fmt: skip
"""Options of ssh that say how Ansible works on a connection, not where it leads."""
REFUSED = {"pkcs11_provider"}
ELSEWHERE = {"connection", "become", "become_method"}
"""Keywords of plays, which no plugin documents."""


@cache
def documented(kind: str, *names: str) -> dict[str, dict[str, Any]]:
    done = subprocess.run([ANSIBLE_DOC, "-t", kind, "-j", *names], check=True, capture_output=True)
    return {name: entry["doc"]["options"] for name, entry in json.loads(done.stdout).items()}


def named(option: dict[str, Any], source: str) -> tuple[str, ...]:
    names = [entry["name"] for entry in option.get(source, ())]
    return tuple(n for n in names if not n.startswith(("delegated_vars", "inventory_hostname")))


@pytest.mark.parametrize("name", sorted(set(OPTIONS) - ELSEWHERE))
def test_options_of_ssh(name: str) -> None:
    option = documented("connection", "ssh")["ssh"][name]
    assert OPTIONS[name].variables == named(option, "vars")
    assert OPTIONS[name].environment == named(option, "env")


def test_no_option_of_ssh_is_new() -> None:
    known = (set(OPTIONS) - ELSEWHERE) | NO_MATTER | REFUSED
    assert set(documented("connection", "ssh")["ssh"]) == known


@pytest.mark.parametrize("method", METHODS)
def test_options_of_become_methods(method: str) -> None:
    plugin = documented("become", *PLUGINS.values())[PLUGINS[method]]
    for name, option in BECOME[method].items():
        assert option.variables == named(plugin[name], "vars"), name
        assert option.environment == named(plugin[name], "env"), name


def test_keywords() -> None:
    for name in ELSEWHERE:
        assert OPTIONS[name].variables == constants.MAGIC_VARIABLE_MAPPING[name]
    for name, setting in {"connection": "DEFAULT_TRANSPORT",
                          "become_method": "DEFAULT_BECOME_METHOD"}.items():  # fmt: skip
        known = constants.config.get_configuration_definitions()[setting]
        assert OPTIONS[name].environment == named(known, "env")


def test_connections_exist() -> None:
    done = subprocess.run(
        [ANSIBLE_DOC, "-t", "connection", "-l", "-j"], check=True, capture_output=True
    )
    plugins = {name.removeprefix("ansible.builtin.") for name in json.loads(done.stdout)}
    kinds = {name.removeprefix("ansible.builtin.") for name in CONNECTIONS}
    assert kinds - {"smart", "paramiko"} <= plugins  # names of old for others of them
