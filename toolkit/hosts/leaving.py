"""A host that leaves its cluster: what of ours is removed there, what the others forget, which lines name it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.cluster import Cluster, Host
from toolkit.cluster.ownership import ID
from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.hosts.answer import read
from toolkit.hosts.remote import Remote
from toolkit.onhost.bundle import program


@dataclass(frozen=True)
class Cleaned:
    """What onhost/clean.py did.

    Attributes:
        removed: "units", "files" and "environments" -> their names.
        stays: directories with something in them, and the users that own it.
        error: why nothing was done.
    """

    removed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    stays: tuple[str, ...] = ()
    error: str = ""


@dataclass(frozen=True)
class Named:
    """Where the inventory names a host, and in YAML what is below it: lines, of which `text` is the first."""

    file: Path
    line: int
    last: int
    text: str

    def __str__(self) -> str:
        if self.last == self.line:
            return f"{self.file}:{self.line}: {self.text}"
        return f"{self.file}:{self.line}-{self.last}: {self.text} and what is below it"


def clean(cluster: Cluster, remote: Remote, host: Host, *, purge: bool) -> Cleaned:
    """Remove what is ours from a host, by its own list.

    Args:
        purge: also what Airflow and its users have written, and the users.

    Raises:
        HostProblem: the host cannot be asked.
        ToolkitError: it is another cluster's.
    """
    allowed = cluster.setting("airflow_worker_stop_timeout", host)
    payload = {"id": str(cluster.setting(ID) or ""), "purge": purge}
    timeout = 300 + (allowed if isinstance(allowed, int) else 0)
    found = read(Cleaned, remote.run_script(host, program("clean"), payload, timeout=timeout))
    if found.error:
        raise ToolkitError(
            found.error, where=host.name, fix="clean it from the cluster that it belongs to",
            exit_code=EXIT_FAILED,
        )  # fmt: skip
    return found


def lines_of(cluster: Cluster, name: str) -> Iterator[Named]:
    """The lines of the inventory's host lists that name a host: YAML's keys, and INI's first words."""
    pattern = re.compile(rf"""\s*(?:['"]?){re.escape(name)}(?:['"]?)\s*(?::|\s|$)""")
    for path in cluster.inventory.host_lists():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for number, text in enumerate(lines, 1):
            if pattern.match(text):
                yield Named(path, number, number + _below(lines[number - 1 :]), text.strip())
            elif _in_range(text, name):
                yield Named(path, number, number, f"{text.strip()} (write out the others)")


def _below(lines: list[str]) -> int:
    """How many lines are further to the right than the first one, until one is not: its variables, in YAML."""
    indent = _indent(lines[0])
    deeper = 0
    for number, text in enumerate(lines[1:], 1):
        if text.strip() and _indent(text) <= indent:
            break
        deeper = number if text.strip() and not text.strip().startswith("#") else deeper
    return deeper


def _indent(text: str) -> int:
    return len(text) - len(text.lstrip())


def _in_range(text: str, name: str) -> bool:
    """Whether the first word of a line is a range, such as w[1:9], that has a host."""
    from ansible.errors import AnsibleError
    from ansible.plugins.inventory import detect_range, expand_hostname_range

    word = text.strip().split()[:1]
    if not word or word[0].startswith("[") or not detect_range(word[0]):
        return False
    try:
        return name in expand_hostname_range(word[0].rstrip(":"))
    except (AnsibleError, ValueError):
        return False


def files_of(cluster: Cluster, name: str) -> list[Path]:
    """The files and directories of variables of a host."""
    return [
        path
        for root in cluster.inventory.roots
        for path in sorted((root / "host_vars").glob(f"{name}*"))
        if path.name in {name, f"{name}.yml", f"{name}.yaml", f"{name}.json"}
    ]
