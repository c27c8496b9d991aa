"""Commands for a person to type, as the inventory would log in."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.cluster.access import Access
from toolkit.hosts.typed import as_root, login


def access(**variables: Any) -> Access:
    return Access("h1", {f"ansible_{name}": value for name, value in variables.items()})


def test_the_inventory_s_way() -> None:
    there = access(host="203.0.113.7", user="kim", port=2222, ssh_private_key_file="/keys/k 1",
                   ssh_common_args="-o ProxyJump=gate")  # fmt: skip
    way = "-o ProxyJump=gate -i '/keys/k 1' -p 2222 kim@203.0.113.7"
    assert login(there) == f"ssh {way}"
    assert login(there, "-N", "-L", "1:h:2") == f"ssh -N -L 1:h:2 {way}"
    assert login(there, "-L", "1:[::1]:2") == f"ssh -L '1:[::1]:2' {way}"
    assert (
        as_root(there, "journalctl -u airflow-worker")
        == f"ssh {way} sudo journalctl -u airflow-worker"
    )


@pytest.mark.parametrize(("command", "typed"), [
    ("systemctl status 'redis*'", "ssh h1 \"sudo systemctl status 'redis*'\""),
    ("journalctl | grep -i s3", "ssh h1 'sudo journalctl | grep -i s3'"),
    ("""echo '$x'""", """ssh h1 'sudo echo '"'"'$x'"'"''"""),
])  # fmt: skip
def test_the_host_s_shell_gets_what_is_meant(command: str, typed: str) -> None:
    assert as_root(access(), command) == typed


def test_on_this_machine_without_ssh() -> None:
    assert as_root(access(connection="local"), "systemctl status x") == "sudo systemctl status x"
