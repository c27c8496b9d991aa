"""What needs no host: messages, ssh's arguments, keys, known_hosts, the command line sent."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from support.onhost import send

from toolkit.cluster import Cluster, Host, Inventory
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.command import _shell
from toolkit.hosts.connection import Opener
from toolkit.hosts.problem import Login, of_connecting, of_start
from toolkit.hosts.remote import _find_python, _place
from toolkit.hosts.trust import Trust
from toolkit.onhost.bundle import program

LOGIN = Login("h1", "ubuntu", "203.0.113.7", 22, known_hosts="prod/known_hosts", key="k1")
KEY = paramiko.RSAKey.generate(2048)


def connecting(error: Exception, login: Login = LOGIN) -> HostProblem:
    return of_connecting(error, login, timeout=10)


@pytest.mark.parametrize(
    ("error", "kind", "says"),
    [
        (socket.gaierror(-2, "Name or service not known"), "unreachable", "is not known here"),
        (TimeoutError(), "unreachable", "did not answer within 10 s"),
        (ConnectionRefusedError(111, "Connection refused"), "unreachable", "refuses connections"),
        (OSError(113, "No route to host"), "unreachable", "No route to host"),
        (EOFError(), "unreachable", "the connection was closed"),
        (paramiko.SSHException("Error reading SSH protocol banner"), "unreachable", "no SSH serv"),
        (paramiko.ChannelException(2, "Connect failed"), "unreachable", "jump host"),
        (paramiko.AuthenticationException("failed"), "auth", "lets user ubuntu in with none"),
        (paramiko.SSHException("No authentication methods available"), "auth", "tried: nothing"),
        (paramiko.PasswordRequiredException("encrypted"), "auth", "passphrase"),
        (paramiko.BadHostKeyException("203.0.113.7", KEY, KEY), "host_key_changed", "SHA256:"),
    ],
)
def test_every_failure_to_connect_is_told_in_words(error: Exception, kind: str, says: str) -> None:
    problem = connecting(error)
    assert problem.kind == kind
    assert says in problem.what
    assert problem.host == "h1"
    assert problem.fix


def test_refused_on_all_addresses_is_refused() -> None:
    refused = ConnectionRefusedError(111, "Connection refused")
    error = paramiko.ssh_exception.NoValidConnectionsError({("203.0.113.7", 22): refused})
    assert "refuses connections" in connecting(error).what


def test_a_changed_key_on_another_port_is_removed_by_the_name_openssh_uses() -> None:
    login = Login("h1", "ubuntu", "203.0.113.7", 2222, known_hosts="prod/known_hosts")
    problem = connecting(paramiko.BadHostKeyException("203.0.113.7", KEY, KEY), login)
    assert "ssh-keygen -R '[203.0.113.7]:2222' -f prod/known_hosts" in str(problem.fix)


def test_an_authentication_failure_names_the_keys_that_were_tried() -> None:
    login = Login("h1", "bob", "h", 22, known_hosts="kh", tried=("a", "the SSH agent's keys (2)"))
    problem = connecting(paramiko.AuthenticationException(), login)
    assert "tried: a, the SSH agent's keys (2)" in problem.what


def test_a_jump_host_that_lets_nobody_in_is_told_by_its_own_name() -> None:
    login = Login("h1", "bob", "10.0.0.1", 22, target="bob@gate", arguments="-F f", jump=True)
    problem = connecting(paramiko.AuthenticationException(), login)
    assert "ssh -F f bob@gate; ProxyJump names the user" in str(problem.fix)


def test_a_default_key_that_ssh_would_ignore_is_named() -> None:
    login = Login("h1", "bob", "h", 22, known_hosts="kh", refused=("/home/me/.ssh/id_rsa",))
    problem = connecting(paramiko.AuthenticationException(), login)
    assert (problem.kind, problem.fix) == ("key_mode", "chmod 600 /home/me/.ssh/id_rsa")


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("sudo: sorry, you must have a tty to run sudo\n", "requiretty"),
        ("sudo: a password is required\n", "sudo_password"),
        ("sudo: interactive authentication is required\n", "sudo_password"),
        ("sudo: a terminal is required to read the password\n", "sudo_password"),
        ("bob is not in the sudoers file.\n", "no_sudo"),
        ("Sorry, user bob may not run sudo on h1.\n", "no_sudo"),
        ("toolkit:no_sudo\n", "no_sudo"),
        ("Sorry, try again.\nsudo: 1 incorrect password attempt\n", "wrong_sudo_password"),
        ("This account is currently not available.\n", "bad_output"),
        ("", "bad_output"),
    ],
)
def test_what_sudo_says_is_understood(stderr: str, kind: str) -> None:
    assert of_start(stderr, LOGIN).kind == kind


@pytest.mark.parametrize(("said", "user"), [
    ('Please login as the user "ubuntu" rather than the user "bob".\n\n', "ubuntu"),
    ('Welcome!\nPlease login as the user "ec2-user" rather than the user "bob".', "ec2-user"),
    ("Please log in as user 'admin' rather than user 'bob'", "admin"),
])  # fmt: skip
def test_an_image_that_refuses_a_user_names_another(said: str, user: str) -> None:
    problem = of_start("", replace(LOGIN, user="bob"), said)
    assert problem.kind == "other_user"
    assert "refuses user bob: Please log" in problem.what
    assert str(problem.fix).startswith(f"ansible_user: {user} in the inventory")


@pytest.mark.parametrize("said", [
    "", "do not log in as the user root here", 'login as the user "x" rather than the user "root"',
    "This account is currently not available.",
])  # fmt: skip
def test_other_words_name_no_user(said: str) -> None:
    problem = of_start("", replace(LOGIN, user="bob"), said)
    assert problem.kind == "bad_output"
    assert (said or "it printed nothing") in problem.what


def test_the_fix_for_no_python_is_the_family_s_package_manager() -> None:
    debian = of_start("toolkit:no_python::debian \n", LOGIN)
    assert debian.kind == "no_python"
    assert debian.fix == "ssh -i k1 ubuntu@203.0.113.7 'sudo apt-get install -y python3'"
    assert "dnf" in str(of_start("toolkit:no_python::amzn fedora\n", LOGIN).fix)


def test_a_named_interpreter_that_is_missing_is_named() -> None:
    assert "/opt/x/python3" in of_start("toolkit:no_python:/opt/x/python3:debian\n", LOGIN).what


def test_a_first_key_is_written_down_and_told(tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("other ssh-ed25519 AAAA")  # an editor left no newline at the end
    known_hosts.chmod(0o600)
    said: list[str] = []
    Trust(known_hosts, said.append).missing_host_key(None, "[203.0.113.7]:2222", KEY)
    assert known_hosts.read_text().splitlines() == [
        "other ssh-ed25519 AAAA",
        f"[203.0.113.7]:2222 ssh-rsa {KEY.get_base64()}",
    ]
    assert said == [
        f"[203.0.113.7]:2222: accepted its host key on first use: ssh-rsa {KEY.fingerprint}"
    ]


def test_a_new_known_hosts_file_is_private(tmp_path: Path) -> None:
    known_hosts = tmp_path / "known_hosts"
    Trust(known_hosts, lambda _: None).missing_host_key(None, "h1", KEY)
    assert known_hosts.stat().st_mode & 0o777 == 0o600
    client = paramiko.SSHClient()
    Trust(known_hosts, lambda _: None).apply(client)
    assert client.get_host_keys().check("h1", KEY)


def test_keys_are_looked_at_before_anything_connects(tmp_path: Path) -> None:
    key = tmp_path / "key"
    variables = {"ansible_host": "192.0.2.1", "ansible_ssh_private_key_file": str(key)}
    host = Host("h1", ("scheduler",), variables)
    with Remote(Cluster(Inventory((tmp_path,)), (host,)), connect_timeout=0.1) as remote:
        missing = remote.fan_out([host], "", {})["h1"]
        key.write_text("secret")
        key.chmod(0o644)
        readable = remote.fan_out([host], "", {})["h1"]
    assert isinstance(missing, HostProblem)
    assert missing.kind == "key_missing"
    assert isinstance(readable, HostProblem)
    assert (readable.kind, readable.fix) == ("key_mode", f"chmod 600 {key}")


def test_many_threads_connect_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        variables = {"ansible_host": "127.0.0.1", "ansible_port": closed.getsockname()[1]}
        hosts = [Host(f"h{number}", (), variables) for number in range(200)]
        opener = Opener(Trust(tmp_path / "known_hosts", print), timeout=5)

        def kind(host: Host) -> str:
            with pytest.raises(HostProblem) as problem:
                opener.open(host)
            return problem.value.kind

        usual = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(kind, hosts)) == {"unreachable"}
        finally:
            sys.setswitchinterval(usual)


def run_shell(line: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line, shell=True, input=stdin, capture_output=True, text=True, check=False
    )


def test_the_line_that_is_sent_says_when_it_starts_and_keeps_arguments_apart() -> None:
    done = run_shell(_shell("""printf '%s|' 'a b' "it's" '$HOME'""", "", None))
    assert done.stdout == "toolkit:ready\na b|it's|$HOME|"


def test_the_line_finds_an_interpreter_or_says_that_there_is_none() -> None:
    host = Host("h1", (), {})
    done = run_shell(_shell('"$python" -', _find_python(host), None), "print(6 * 7)")
    assert done.stdout == "toolkit:ready\n42\n"
    missing = Host("h1", (), {"ansible_python_interpreter": "/no/such/python3"})
    done = run_shell(_shell('"$python" -', _find_python(missing), None))
    assert done.stdout == ""
    assert "toolkit:no_python:/no/such/python3:" in done.stderr
    automatic = Host("h1", (), {"ansible_python_interpreter": "auto_silent"})
    assert _find_python(automatic) == _find_python(host)


def test_a_program_that_fails_is_reported_with_its_module_and_line() -> None:
    errors = send(program("state") + "main({})\n").stderr
    assert re.fullmatch(r" \(toolkit/onhost/state\.py, line \d+\)", _place(errors))
    assert _place("bash: python3: command not found\n") == ""
