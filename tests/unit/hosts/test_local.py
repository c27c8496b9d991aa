"""This machine as a host: real commands, without SSH; and the lines of become methods."""

from __future__ import annotations

import io
import os
import pty
import select
import shlex
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from toolkit.cluster import Cluster, Host, Inventory
from toolkit.hosts import HostProblem, Remote
from toolkit.hosts.become import Become
from toolkit.hosts.command import Command, _shell
from toolkit.hosts.local import LocalWay
from toolkit.hosts.problem import Login, of_start

SCRIPT = (
    "import os\ndef main(payload):\n    return {'uid': os.geteuid(), 'sum': sum(payload['n'])}\n"
)
WAY = LocalWay(Login("here", "me", "localhost", 0, local=True))
SU = """#!/bin/sh
echo "$@" > {log}
printf 'Password: ' >&2
read -r password
test "$password" = right || {{ echo 'su: Authentication failure' >&2; exit 1; }}
exec sh -c "$3"
"""


def remote(directory: Path, **variables: str) -> tuple[Remote, Host]:
    host = Host("here", ("scheduler",), {"ansible_connection": "local", **variables})
    return Remote(Cluster(Inventory((directory,)), (host,))), host


def command(become: Become | None, password: str | None = None) -> Command:
    return Command(WAY, become or Become(), password, timeout=10)


@pytest.fixture
def su(tmp_path: Path) -> Become:
    """A program that asks as su does, so that nothing of this machine has to know a password."""
    path = tmp_path / "su"
    path.write_text(SU.format(log=tmp_path / "log"))
    path.chmod(0o755)
    return Become("su", str(path))


def test_a_script_needs_no_connection(tmp_path: Path) -> None:
    connected, host = remote(tmp_path)
    with connected:
        found = connected.run_script(host, SCRIPT, {"n": list(range(1000))}, become=False)
        assert connected.reached(host)
    assert (found["sum"], found["uid"]) == (499500, os.geteuid())
    assert found["sent"] <= found["received"]
    assert not (tmp_path / "known_hosts").exists()


def test_a_script_that_fails_is_reported(tmp_path: Path) -> None:
    connected, host = remote(tmp_path)
    with connected, pytest.raises(HostProblem, match="no answer: ZeroDivisionError"):
        connected.run_script(host, "def main(p):\n    1 / 0\n", {}, become=False)


def test_output_input_and_exit_status_pass_through(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    connected, host = remote(tmp_path)
    data = os.urandom(300_000)
    argv = ["sh", "-c", "cat; echo 'an error' >&2; exit 7"]
    with connected:
        assert connected.run(host, argv, become=False, stdin=io.BytesIO(data)) == 7
        sys.stdout.flush()
        out, err = capfdbinary.readouterr()
        assert out == data, f"{len(out)} bytes"
        assert err == b"an error\n"
        assert connected.run(host, ["sh", "-c", "kill -9 $$"], become=False) == 255


def test_a_command_that_hangs_is_given_up() -> None:
    with Command(WAY, Become(), timeout=0.5) as hanging:
        hanging.start("sleep 30", become=False)
        with pytest.raises(HostProblem) as problem:
            list(hanging.chunks())
    assert problem.value.kind == "timeout"
    assert "uptime" in str(problem.value.fix)


def test_a_tunnel_leads_to_a_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo, args=(server,), daemon=True).start()
        with (
            WAY.tunnel("127.0.0.1", server.getsockname()[1]) as port,
            socket.create_connection(("127.0.0.1", port), timeout=5) as client,
        ):
            client.sendall(b"hello")
            client.shutdown(socket.SHUT_WR)
            assert client.recv(100) == b"hello"
            assert client.recv(100) == b""


def _echo(server: socket.socket) -> None:
    connection, _ = server.accept()
    with connection:
        while data := connection.recv(100):
            connection.sendall(data)


def test_a_password_goes_to_su_and_to_nothing_else(su: Become, tmp_path: Path) -> None:
    with command(su, "right") as started:
        started.start("cat", become=True)
        started.give(b"mine")
        assert b"".join(chunk for _, chunk in started.chunks()) == b"mine"
        assert started.asked
    assert "right" not in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("password", "kind"), [("wrong", "wrong_sudo_password"), (None, "sudo_password")]
)
def test_a_wrong_or_missing_password(su: Become, password: str | None, kind: str) -> None:
    way = LocalWay(Login("here", "me", "localhost", 0, local=True, become="su"))
    with Command(way, su, password, timeout=10) as started, pytest.raises(HostProblem) as problem:
        started.start("true", become=True)
    assert problem.value.kind == kind
    assert "su" in problem.value.what


def test_a_program_that_is_missing_is_said_before_it_is_called() -> None:
    with command(Become("doas", "/no/doas")) as started, pytest.raises(HostProblem) as problem:
        started.start("true", become=True)
    assert problem.value.kind == "no_sudo"


@pytest.mark.parametrize(
    ("become", "asked", "line"),
    [
        (Become(), False, "sudo -n -- sh -c X"),
        (Become(), True, "sudo -S -p toolkit:password -- sh -c X"),
        (Become(flags="-H -S -n -E"), True, "sudo -H -E -S -p toolkit:password -- sh -c X"),
        (Become(flags="-HSn"), False, "sudo -H -n -- sh -c X"),
        (Become(flags="-i --non-interactive"), False, "sudo -n -- sh -c X"),
        (Become(program="/opt/a b/sudo"), False, "'/opt/a b/sudo' -n -- sh -c X"),
        (Become("su", "su"), True, "su root -c 'exec sh -c X'"),
        (Become("su", "su", "-l"), True, "su -l root -c 'exec sh -c X'"),
        (Become("doas", "doas"), True, "doas -n -- sh -c X"),
    ],
)
def test_the_lines_of_become_methods(become: Become, asked: bool, line: str) -> None:
    assert become.line("X", asked=asked).endswith(f"exec {line}")


def test_root_finds_its_programs_by_su() -> None:
    line = _shell("printenv PATH", "", Become("su", "/bin/echo"))
    assert ":/usr/local/sbin:/usr/sbin:/sbin" in line
    assert "sbin" not in _shell("printenv PATH", "", None)


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("su: Authentication failure\n", "wrong_sudo_password"),
        ("su: Permission denied\n", "no_sudo"),
        ("su: must be run from a terminal\n", "requiretty"),
        ("doas: Authentication required\n", "sudo_password"),
        ("doas: Operation not permitted\n", "no_sudo"),
        ("doas: a tty is required\n", "requiretty"),
        ("doas: Authentication failed\n", "wrong_sudo_password"),
    ],
)
@pytest.mark.parametrize("local", [True, False])
def test_what_other_methods_say_is_understood(stderr: str, kind: str, local: bool) -> None:
    method = stderr.partition(":")[0]
    login = Login("h1", "bob", "203.0.113.7", 22, become=method, local=local)
    problem = of_start(stderr, login)
    assert problem.kind == kind
    assert method in problem.what
    assert "sudo" not in problem.what
    assert ("ssh" in str(problem.fix)) == (kind == "no_sudo" and not local)


def test_a_terminal_is_connected() -> None:
    """A question of the become method is answered once; the command's own is the user's."""
    asks = (
        "printf 'Password: '; read -r p; echo got=$p; printf 'Password: '; read -r q; echo then=$q"
    )
    code = (
        "import sys; from toolkit.hosts.local import LocalWay; from toolkit.hosts.way import Reply;"
        "from toolkit.hosts.problem import Login;"
        "way = LocalWay(Login('h', 'me', 'localhost', 0, local=True));"
        f"sys.exit(way.on_terminal({asks!r} + '; exit 3', Reply('Password: $', 'ours')))"
    )
    child, terminal = pty.fork()
    if child == 0:
        os.execv(sys.executable, [sys.executable, "-c", code])
    said = b""
    while b"then=" not in said:
        # Typed again when nothing comes: a busy machine may switch the terminal's mode in between.
        if not select.select([terminal], [], [], 5)[0]:
            os.write(terminal, b"theirs\n")
            continue
        try:
            said += os.read(terminal, 1000)
        except OSError:
            break
        if said.count(b"Password: ") == 2 and b"theirs" not in said:
            os.write(terminal, b"theirs\n")
    with suppress(OSError):
        while os.read(terminal, 1000):
            pass
    _, status = os.waitpid(child, 0)
    assert b"got=ours" in said
    assert b"then=theirs" in said
    assert os.waitstatus_to_exitcode(status) == 3


def test_the_command_in_a_message_goes_the_same_way() -> None:
    login = Login("h1", "bob", "10.0.0.1", 2222, target="bob@alias", arguments="-J gate", key="a b")
    assert login.command == "ssh -J gate -i 'a b' -p 2222 bob@alias"
    assert shlex.split(login.typed("sudo true | cat", quoted=True))[-1] == "sudo true | cat"
    here = Login("h1", "bob", "localhost", 0, local=True)
    assert (here.typed("uptime"), str(here)) == ("uptime", "bob on this machine")


def test_a_local_host_needs_no_fabric(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from toolkit.cluster import Cluster, Host, Inventory;"
        "from toolkit.hosts import Remote; host = Host('here', (), {'ansible_connection': 'local'});"
        f"remote = Remote(Cluster(Inventory((pathlib.Path({str(tmp_path)!r}),)), (host,)));"
        "remote.run_script(host, 'def main(p): return {}', {}, become=False);"
        "sys.exit('fabric' in sys.modules or 'paramiko' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
