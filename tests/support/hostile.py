"""Hostile input for the command line: inventories, files and arguments, and a place to run them in.

Nothing is reached from there, and nothing is written outside: hosts are closed ports of 127.0.0.1,
the package index and AWS do not answer, and there is no podman.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import click
import yaml
from hypothesis import strategies as st

from toolkit.cli import main, root
from toolkit.cluster.settings import load_specs
from toolkit.errors import (
    EXIT_DECLINED,
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_REFUSED,
)
from toolkit.findings import entries

STATUSES = {0, EXIT_FAILED, EXIT_REFUSED, EXIT_DECLINED, EXIT_INTERRUPTED}
NOWHERE = "http://127.0.0.1:9"
"""The port "discard", which nothing listens on."""

LOGIN = {"ansible_host": "127.0.0.1", "ansible_port": 1, "ansible_user": "nobody"}
GROUPS = ("metadata_db", "broker", "scheduler", "webserver", "worker")
GOOD: Mapping[str, Any] = {
    "hosts.yml": {
        "all": {"hosts": {"h1": LOGIN, "h2": LOGIN}},
        **{group: {"hosts": {"h1": None}} for group in GROUPS[:4]},
        "worker": {"hosts": {"h2": None}},
    },
    "group_vars/all/airflow.yml": {"airflow_parallelism": 8},
}
"""Path -> content of an inventory that a provision would be started with."""

# What people have in their files, and what their files are.

NASTY_YAML = [
    b"", b"\n", b"---\n", b"a", b"- a\n", b"a: [", b"a: {b: 1, b: 2}\n", b"a: 1\na: 2\n", b"\t- x",
    b"a: " + b"[" * 3000 + b"]" * 3000, b"a: " + b"{b: " * 200_000, b"- " * 3000, b"a: &x [*x]\n",
    b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(
        b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(20)
    ),
    b"a: 2024-13-01\n", b"a: !!int ''\n", b"a: !!timestamp x\n", b"a: !!bool x\n", b"a: !!float x\n",
    b"a: !!binary x\n", b"a: !!set {b}\n", b"a: !vault [1]\n", b"a: !unsafe {}\n", b"a: !foo 1\n",
    b"a: !!python/object:os.system x\n", b"a: *b\n", b"<<: [1]\n", b"a: 0x" + b"f" * 6000, b"%YAML 9.9\n---\na: b\n",
    b"a: 1\n---\nb: 2\n", b"? [a]\n: 1\n", b"? {a: b}\n: 1\n", b"a: \"\\0\"\n", b"a: \"\\ud800\"\n", b"a: .nan\n",
    b"plugin: nosuch\n", b"plugin: [1]\n", b"$ANSIBLE_VAULT;1.1;AES256\n00\n", b"$ANSIBLE_VAULT;\xff\xfe",
    b"$ANSIBLE_VAULT;1.1;AES256\n\xff\xff", b"$ANSIBLE_VAULT;9.9;ROT13;x\nzz\n", b"airflow_web_port: !!binary aGVsbG8=\n",
    "a: Größe\n".encode("latin-1"), "airflow_timezone: Asia/Seoul\n".encode("utf-16"), b"\xff\xfe\x00\x00",
    bytes(range(256)), b"\x7fELF\x02\x01\x01\x00\x00\x00", b"\xef\xbb\xbfairflow_parallelism: 8\n", b"a: \x00b\n",
    b"all: {children: {a: {children: {b: {children: {a: }}}}}, hosts: {h1: }}\n",
    b"a: {children: {a: }}\n", b"x: {children: {all: }, hosts: {h1: }}\n", b"x: {children: {ungrouped: }}\n",
    b"".join(b"g%d: {children: {g%d: }}\n" % (n, n + 1) for n in range(1500)),
    b"all: {hosts: {'h[1:3]': }}\n", b"all: {hosts: {'h[3:1]': }}\n", b"all: {hosts: {1: , true: , null: }}\n",
    b"all: {hosts: {h1: , '': }}\n", b"all: {hosts: h1}\n", b"all: {hosts: {h1: [1]}}\n", b"all:\n  hosts:\n    h1: x\n",
    b"all: {hosts: {'../x': }}\n", b"all: {hosts: {/x: }}\n", b"all: {vars: {ansible_group_priority: x}, hosts: {h1: }}\n",
    b"#   airflow_version: [\n", b"#   a: 2024-13-01\n", b"#   airflow_version: 3.3.2\n#   extras: 1\n", b"apache-airflow==\n",
    b"[scheduler]\nh1 ansible_host=127.0.0.1\n",
]  # fmt: skip
"""Contents of any file of an inventory directory."""

DIRECTORY = b"(a directory is in its place)"
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), max_size=12)
LOGINS: Mapping[str, list[Any]] = {
    "ansible_host": ["", " ", "127.0.0.1", "http://127.0.0.1/", "127.0.0.1:22", "[::1]", "::1", 7, None, "{{ x }}", "a b",
                     "x" * 300, "\0", "-oProxyCommand=x", "ä.invalid", ["127.0.0.1"], "..", "%", "\n"],
    "ansible_port": ["", 0, -1, 22.5, "22", "x", "H:22", None, True, 70_000, "{{ p }}", [22], "٣"],
    "ansible_user": ["", None, 7, "a b", "{{ u }}", "\0", "-l", ["root"], True],
    "ansible_ssh_private_key_file": ["", None, "nosuch", "~nosuchuser/key", "/proc/self/mem", ".", "\0", "{{ k }}", 3, "hosts.yml"],
    "ansible_ssh_common_args": ["-o 'ProxyJump=h", '-J "', "-J", "-o", "-o ProxyCommand", "-J a,b,,c", "-J ''", None, 3, ["-J", "a"],
                                "-o ProxyCommand='exit 1'", "-J u@127.0.0.1:1", "\\", "{{ x }}", "-J H:x"],
    "ansible_ssh_extra_args": ["-o '", "-o ProxyCommand=", 0],
    "ansible_become_password": ["", None, 3, ["a"], "{{ p }}", "\0", "ä"],
    "ansible_become_method": ["su", "doas", "", 3, None, ["sudo"], "nosuch"],
    "ansible_connection": ["local", "ssh", "paramiko", "docker", "", 3, None],
    "ansible_python_interpreter": ["", "auto", "/nosuch", "a b", 3, None, ["python3"], "$(false)", "\0"],
    "base_address": ["", "127.0.0.1", "a b", 3, None, "{{ a }}", "\0", ["x"], "http://x"],
}  # fmt: skip
"""Variables of connections with values of wrong forms."""

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 70_000), st.floats(), TEXTS,
    st.sampled_from(["{{ x }}", "{{", "{% if", "sqlite:////a", "redis://:p/w@h:x", "postgresql://u:[@h/", "3.3.2", "9.9.9",
                     "2.11.2", "http://[", "%", "!", "10**9", "postgres://a@b:c/d", "\0", "~nosuchuser", "/proc/self/mem", "."]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS | st.sampled_from(["core", "username", "name"]), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip


@st.composite
def variables(draw: st.DrawFn) -> dict[str, Any]:
    """Settings and connection variables, some of the right type."""
    found: dict[str, Any] = {}
    for name in draw(st.lists(st.sampled_from(list(load_specs())), max_size=3)):
        spec = load_specs()[name]
        right = st.sampled_from(spec.choices) if spec.choices else st.just(spec.default)
        found[name] = draw(right | VALUES)
    for name in draw(st.lists(st.sampled_from(list(LOGINS)), max_size=1)):
        found[name] = draw(st.sampled_from(LOGINS[name]))
    return found


@st.composite
def host_lists(draw: st.DrawFn) -> dict[str, Any]:
    """A hosts.yml: the good one with other variables and groups, some of them in circles."""
    hosts = {name: {**LOGIN, **draw(variables())} for name in ("h1", "h2")}
    found: dict[str, Any] = {
        **GOOD["hosts.yml"],
        "all": {"hosts": hosts, "vars": draw(variables())},
    }
    for group in draw(st.lists(st.sampled_from([*GROUPS, "other", "ungrouped"]), max_size=2)):
        children = dict.fromkeys(draw(st.lists(st.sampled_from([*GROUPS, "all", "x"]), max_size=2)))
        members = dict.fromkeys(
            draw(st.lists(st.sampled_from(["h1", "h2", "h3", "h[1:2]"]), max_size=2))
        )
        found[group] = draw(st.just({"children": children, "hosts": members}) | VALUES)
    return found


def contents(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A file: mostly what it usually is, also in other encodings; or what nobody expects there."""
    text = usual.map(lambda data: yaml.safe_dump(data, allow_unicode=True))
    encoded = st.builds(
        lambda data, coding: data.encode(coding, "replace"), text, st.sampled_from(["latin-1", "utf-16", "utf-8-sig"])
    )  # fmt: skip
    nasty = st.sampled_from([*NASTY_YAML, DIRECTORY]) | st.binary(max_size=40)
    return st.one_of(usual, usual, usual, usual, encoded, nasty, nasty)


@st.composite
def inventories(draw: st.DrawFn) -> dict[str, Any]:
    """Path -> content of an inventory directory."""
    found = {**GOOD, "hosts.yml": draw(st.one_of(*[host_lists()] * 3, contents(host_lists())))}
    if draw(st.booleans()):
        found["group_vars/all/airflow.yml"] = draw(contents(variables()))
    others = st.sampled_from(
        ["group_vars/all/vault.yml", "group_vars/worker.yml", "host_vars/h1.yml", "host_vars/h1", "group_vars/all.yml",
         "airflow.lock", "known_hosts", ".vault-password", "ec2.yml", "hosts.ini", "ansible.cfg", "group_vars", "x.json"]
    )  # fmt: skip
    for path in draw(st.lists(others, max_size=2)):
        if path == "group_vars":
            found = {
                name: data for name, data in found.items() if not name.startswith("group_vars")
            }
        found[path] = draw(contents(variables()))
    return found


def write(directory: Path, files: Mapping[str, Any]) -> None:
    """Write an inventory directory; a path that cannot be there beside another is left out."""
    directory.mkdir(parents=True)
    for name, content in files.items():
        path = directory / name
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            if content == DIRECTORY:
                path.mkdir()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(yaml.safe_dump(content, allow_unicode=True))


# Command lines

DIRECTORIES = ["inv", "inv", "inv", "inv", "broken", "empty", "nosuch", "", " ", ".", "inv/hosts.yml", "file/below",
               "/proc/nosuch/x", "/sys/x", "~nosuchuser/x", "~", "new/a/b", "-", "\udcff", "x" * 300]  # fmt: skip
PATTERNS = ["h1", "all", "worker", "!", "&", "~[", "~", "h[", "worker[0]", "worker[9]", "scheduler[0:2]", "h1[x]", "@nosuch",
            "@file", "@inv", "@", "", " ", ",", ":", "nosuch", "all:!h1", "~(", "[0]", "worker[-1]", "!all", "~(h+)+$"]  # fmt: skip
TARGETS = ["all=u@127.0.0.1", "worker=h", "x=y", "=", "", "all=", "all=-x", "scheduler=u@[::1]:1", "all=H:x", "u@127.0.0.1",
           "127.0.0.1", "-x", "@", "u@", "u@h:99999999"]  # fmt: skip
SETS = ["x=2024-13-01", "airflow_parallelism=4", "airflow_parallelism=[", "=", "", "a", "airflow_web_port=!!int ''", "a=" + "[" * 3000,
        "airflow_version=2.11.2", "airflow_config={a: {b: c}}", "airflow_web_port=0x" + "f" * 6000, "a=b\0c", "airflow_timezone=x"]  # fmt: skip
FILES = [
    "x.svg",
    "nosuch/x.svg",
    "/proc/x.svg",
    "/sys/x.svg",
    "inv",
    "",
    ".",
    "/dev/full",
    "file/x",
    "x" * 300,
    "\udcff.svg",
]
OTHERS = [
    "",
    " ",
    "-",
    "--",
    "0",
    "-1",
    "99999999999999999999",
    "x",
    "ä",
    "\udcff",
    "a b",
    "x" * 300,
    "3.3.2",
    "9",
    "{{",
    "\n",
    "%s",
]

POOLS: Mapping[str, list[str]] = {
    "inventory": DIRECTORIES,
    "directory": DIRECTORIES,
    "limit": PATTERNS,
    "hosts": [*PATTERNS, *TARGETS, "1", "50", "51"],
    "targets": TARGETS,
    "assignments": SETS,
    "graph": FILES,
    "skip": [*list(entries())[:5], "ports.tkaen", *OTHERS],
    "explain": [*list(entries())[:5], "ports.tkaen", *OTHERS],
    "name": [*list(load_specs())[:5], *OTHERS],
    "role": ["airflow", "base", *OTHERS],
    "sample": ["single", "cluster", "ec2", *OTHERS],
}
"""Values by the names of parameters; others get OTHERS."""


def commands(
    group: click.Group = root, above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command with the words that name it."""
    for name in group.list_commands(click.Context(group)):
        found = group.get_command(click.Context(group), name)
        assert found
        if isinstance(found, click.Group):
            yield from commands(found, (*above, name))
        yield (*above, name), found


COMMANDS = list(commands())


@st.composite
def arguments_of(draw: st.DrawFn, command: click.Command) -> list[str]:
    """Some parameters of a command with values from their pools, in any order, and words of nobody."""
    found: list[list[str]] = []
    for parameter in command.params:
        if parameter.name == "watch":
            continue  # it goes on until Ctrl-C
        usual = parameter.name in ("inventory", "directory") or draw(st.integers(0, 4)) == 0
        for _ in range(draw(st.integers(1, 2)) if usual and parameter.multiple else int(usual)):
            value = draw(st.sampled_from(POOLS.get(str(parameter.name), OTHERS)) | TEXTS)
            if isinstance(parameter, click.Argument):
                found.append([value])
            else:
                flag = isinstance(parameter, click.Option) and parameter.is_flag
                found.append([draw(st.sampled_from(parameter.opts))] + ([] if flag else [value]))
    extra = draw(
        st.lists(
            st.sampled_from(
                ["--json", "--json", "--nosuch", "--help", "-x", "--", "--yes", "-K", "word"]
            ),
            max_size=2,
        )
    )
    return [
        word
        for words in draw(st.permutations([*found, *([word] for word in extra)]))
        for word in words
    ]


@st.composite
def command_lines(draw: st.DrawFn) -> list[str]:
    """A command line: a command with arguments, or words without any meaning."""
    words, command = draw(st.sampled_from(COMMANDS))
    if draw(st.integers(0, 19)) == 0:
        return draw(
            st.lists(
                st.sampled_from([*words, "--json", "--help", "--version", "-h", "x", "--"]),
                max_size=3,
            )
        )
    return [*words, *draw(arguments_of(command))]


# Running them


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: object
    out: str
    err: str
    written: tuple[str, ...]


class Place:
    """A directory to run commands in, as HOME and working directory, with all their state below it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "home").mkdir()

    def run(self, arguments: list[str], stdin: str = "") -> Ended:
        """Run a command in this process."""
        out, err = (
            io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace", write_through=True)
            for _ in range(2)
        )
        before = self._content()
        status: object = None
        with (
            mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode()), "utf-8")),
            mock.patch.object(sys, "argv", ["toolkit", *arguments]),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            try:
                main(list(arguments))
            except SystemExit as ending:
                status = ending.code
            finally:
                signal.signal(signal.SIGINT, signal.default_int_handler)
        after = self._content()
        written = tuple(
            sorted(
                name for name in before.keys() | after.keys() if before.get(name) != after.get(name)
            )
        )
        return Ended(status, _text(out), _text(err), written)

    def _content(self) -> dict[str, str]:
        """Files and directories, but for the toolkit's own state and cache."""
        found = {}
        for path in self.directory.rglob("*"):
            name = str(path.relative_to(self.directory))
            if not name.startswith("home/"):
                found[name] = (
                    hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
                )
        return found


def _text(stream: io.TextIOWrapper) -> str:
    raw = stream.buffer
    assert isinstance(raw, io.BytesIO)
    return raw.getvalue().decode()


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """A place that leads nowhere."""
    with TemporaryDirectory(prefix="hostile-") as name, contextlib.chdir(name):
        directory = Path(name)
        environment = {
            "HOME": f"{name}/home", "XDG_STATE_HOME": f"{name}/home/state", "XDG_CACHE_HOME": f"{name}/home/cache",
            "PATH": f"{name}/nothing", "UV_DEFAULT_INDEX": NOWHERE, "UV_HTTP_RETRIES": "0", "AWS_ENDPOINT_URL": NOWHERE,
            "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_MAX_ATTEMPTS": "1", "AWS_EC2_METADATA_DISABLED": "true",
            "LANG": "C.UTF-8",
        }  # fmt: skip
        kept = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(("PYTHON", "TMPDIR", "PYTEST"))
        }
        with mock.patch.dict(os.environ, kept | environment, clear=True), _alone():
            yield Place(directory)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """No name is resolved, and nobody but this machine is connected to; passwords are nobody's."""
    connect = socket.socket.connect

    def resolve(host: Any, *rest: Any, **named: Any) -> Any:
        if host in ("127.0.0.1", "::1", b"127.0.0.1", None):
            return getaddrinfo(host, *rest, **named)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    def reach(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and not str(address[0]).startswith(("127.", "::1")):
            raise ConnectionRefusedError(111, "Connection refused")
        connect(self, address)

    getaddrinfo = socket.getaddrinfo
    with (
        mock.patch.object(socket, "getaddrinfo", resolve),
        mock.patch.object(socket.socket, "connect", reach),
        mock.patch("click.termui.hidden_prompt_func", side_effect=EOFError),
    ):
        yield


def judge(ended: Ended, arguments: list[str]) -> None:
    """What has to be true of every ending.

    Raises:
        AssertionError: it is not.
    """
    both = ended.out + ended.err
    assert "Traceback (most recent call last)" not in both, both
    assert "a defect of the toolkit" not in both, both + _recorded()
    assert ended.status in STATUSES, (ended.status, both)
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if "--json" in own and not {"--help", "-h", "--version"} & set(own):
        json.loads(ended.out)
    if ended.status == EXIT_REFUSED:
        # `provision HOST` writes an inventory first, and says so.
        assert all(f"wrote {path.split('/')[0]};" in both for path in ended.written), ended


def _recorded() -> str:
    found = Path(os.environ["XDG_STATE_HOME"]).glob("toolkit/defects/*.txt")
    return "".join(path.read_text() for path in found)
