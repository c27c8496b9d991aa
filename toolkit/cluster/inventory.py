"""What -i names: the sources of an inventory, the files in them, and the directory they belong to."""

from __future__ import annotations

import configparser
import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from toolkit.content import content_dir, expanded
from toolkit.errors import ToolkitError

_NEVER_LISTS = (r"^\.", "^host_vars$", "^group_vars$", "^vars_plugins$")
"""Names that Ansible never takes for host lists (ansible.inventory.manager)."""
_GENERATED = ".secrets.yml"


def ansible_config() -> Path:
    """The configuration that Ansible gets from us, and plain users from a checkout."""
    return content_dir() / "ansible.cfg"


@cache
def _configured(option: str) -> list[str]:
    """A list of the configuration's section [inventory]."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(ansible_config().read_text(encoding="utf-8"))
    return [text.strip() for text in parser["inventory"][option].split(",")]


@cache
def _ignored() -> re.Pattern[str]:
    """Names of files that are no host lists."""
    endings = [re.escape(text) + "$" for text in _configured("ignore_extensions")]
    return re.compile("|".join([*_NEVER_LISTS, *_configured("ignore_patterns"), *endings]))


def ignore_also(names: Iterable[str]) -> str:
    """The value of Ansible's `ignore_patterns` that leaves out these files of a directory too."""
    return ",".join([*_configured("ignore_patterns"), *(f"^{re.escape(one)}$" for one in names)])


@dataclass(frozen=True)
class Inventory:
    """The sources of an inventory, in the order in which later ones win.

    Attributes:
        sources: directories and files, absolute.
    """

    sources: tuple[Path, ...]

    @classmethod
    def of(cls, *named: str | Path) -> Inventory:
        """The inventory that one or more -i name.

        Raises:
            ToolkitError: one of them does not exist, or is no directory and no file.
        """
        return cls(tuple(map(_source, named)))

    def __str__(self) -> str:
        """As it is written behind -i."""
        return " -i ".join(shlex.quote(_short(source)) for source in self.sources)

    @property
    def arguments(self) -> list[str]:
        """The options that give Ansible the same inventory."""
        return [word for source in self.all_sources for word in ("-i", str(source))]

    @property
    def identity(self) -> Path:
        """What tells one cluster of this machine from another: its directory, or its own host list."""
        return self.sources[0] if self.shares_directory else self.home

    @property
    def generated(self) -> Path:
        """A host list for generated secrets, where group_vars/all has no room for them.

        It is so where `group_vars/all` is a file, or would hide one, and where group_vars/ is shared
        with other host lists.
        """
        name = self.sources[0].stem if self.shares_directory else "airflow"
        return self.home / f"{name}{_GENERATED}"

    @property
    def all_sources(self) -> tuple[Path, ...]:
        """The sources, and the generated host list where none of them contains it."""
        missing = self.generated.exists() and self.sources[0] != self.home
        more = (self.generated,) if missing and self.generated not in self.sources else ()
        return (*self.sources, *more)

    @property
    def home(self) -> Path:
        """Where the cluster's own files are: known_hosts, the lock, what is generated."""
        return self.roots[0]

    @cached_property
    def roots(self) -> tuple[Path, ...]:
        """The directories with group_vars/ and host_vars/, in the order of the sources."""
        found = (source.parent if source.is_file() else source for source in self.sources)
        return tuple(dict.fromkeys(found))

    @property
    def name(self) -> str:
        """The cluster's: the directory's, or the file's where the directory has several."""
        first = self.sources[0]
        return first.stem if self.shares_directory else self.home.name

    @property
    def shares_directory(self) -> bool:
        """Whether the first source is one of several host lists of its directory.

        What is in group_vars/ there belongs to the others as well.
        """
        first = self.sources[0]
        if not first.is_file():
            return False
        return any(
            path not in self.sources and not path.name.endswith(_GENERATED)
            for path in _lists_in(first.parent)
        )

    @property
    def hosts_file(self) -> Path:
        """What describes the hosts, for messages: the host list, or the directory of several."""
        if self.sources[0].is_file() or not self.home.is_dir():
            return self.sources[0]
        usual = self.home / "hosts.yml"
        lists = [path for path in self.host_lists() if not path.name.endswith(_GENERATED)]
        if usual in lists or not lists:
            return usual
        return lists[0] if len(lists) == 1 else self.home

    def host_lists(self) -> list[Path]:
        """The files that name groups and hosts, in Ansible's order."""
        return [
            path
            for source in self.all_sources
            for path in (_lists_in(source) if source.is_dir() else [source])
        ]


def _short(path: Path) -> str:
    """A path as people type it: from where they are, if it is below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) and path != here else str(path)


def _source(named: str | Path) -> Path:
    text = str(named)
    if not text.strip():
        raise ToolkitError(
            "the inventory's name is missing", where="-i", fix="name a directory or a file"
        )
    path = expanded(text)
    if "," in text and not path.exists():
        raise ToolkitError(
            "a list of hosts on the command line has no place for settings and secrets",
            where=f"-i {text}",
            fix="toolkit provision USER@HOST writes an inventory directory and goes on with it",
        )
    path = Path.cwd() / path  # a link stays one
    if not path.exists():
        raise ToolkitError(
            f"there is no inventory {path}",
            fix=f"toolkit init {path} --sample single --host all=USER@ADDRESS",
        )
    if not (path.is_dir() or path.is_file()):
        raise ToolkitError(f"{path} is no directory and no file", fix="name an inventory behind -i")
    return path.resolve() if path.is_dir() else path.parent.resolve() / path.name


def _lists_in(folder: Path) -> Iterator[Path]:
    """The host lists of a directory; Ansible goes into its subdirectories too."""
    for entry in sorted(folder.iterdir()):
        if _ignored().search(entry.name):
            continue
        if entry.is_dir():
            yield from _lists_in(entry)
        elif entry.is_file():
            yield entry
