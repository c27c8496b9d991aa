"""A release of DAGs as it leaves this machine: which files of a folder it has, and what they are.

A folder is a project when it has dags/, as Airflow's own layout does, with include/, plugins/ and whatever else
beside it. Any other folder is one of DAGs. In a release the DAGs are in dags/ either way.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError

DAGS, PLUGINS, REQUIREMENTS, IGNORE = "dags", "plugins", "requirements.txt", ".airflowignore"
LEFT_OUT = frozenset({
    ".git", ".hg", ".svn", "__pycache__", ".venv", "venv", "node_modules", ".tox", ".nox", ".mypy_cache", ".pytest_cache",
    ".ruff_cache", ".ipynb_checkpoints", ".idea", ".vscode", ".DS_Store", ".env",
    ".toolkit-release.json", ".toolkit-switched.json", ".toolkit-received",  # a release's own (toolkit/onhost/dags.py)
})  # fmt: skip
"""Names of what is no part of a project on a host: version control, caches, environments, a developer's own."""
FILE_MB = 20
"""A larger file is data, which a deploy would copy to every host."""
FILES = 20_000


@dataclass(frozen=True)
class File:
    """A file of a release.

    Attributes:
        path: in the release.
        source: on this machine.
        mode: "444", or "555" for a program.
        sha256: of its content; "" for a link.
        size: in bytes.
        link: where a link leads, relative to it; "" for a file.
    """

    path: str
    source: Path
    mode: str = ""
    sha256: str = ""
    size: int = 0
    link: str = ""

    def as_json(self) -> dict[str, Any]:
        """Its line in the manifest."""
        if self.link:
            return {"path": self.path, "link": self.link}
        return {"path": self.path, "mode": self.mode, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True)
class Tree:
    """All files of a release.

    Attributes:
        root: the folder that they are from.
        is_project: whether that has dags/.
        files: in the order of their paths.
    """

    root: Path
    is_project: bool
    files: tuple[File, ...]

    @property
    def digest(self) -> str:
        """The SHA-256 of paths, modes and contents: the same for the same files."""
        found = hashlib.sha256()
        for one in self.files:
            found.update(f"{one.path}\0{one.mode}\0{one.sha256}\0{one.link}\n".encode())
        return found.hexdigest()


def differences(
    former: Mapping[str, str], now: Mapping[str, str]
) -> tuple[list[str], list[str], list[str]]:
    """Paths that are new, that differ and that are gone; both are `fingerprints` (hosts/dags.py)."""
    return (
        sorted(now.keys() - former.keys()),
        sorted(path for path in now.keys() & former.keys() if now[path] != former[path]),
        sorted(former.keys() - now.keys()),
    )


def release_id(digest: str, now: datetime | None = None) -> str:
    """What a release is called: when it was made (UTC), and of what."""
    return f"{now or datetime.now(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"


def pack(root: Path, file_mb: int = FILE_MB) -> Tree:
    """Read a folder.

    Args:
        file_mb: how large a file may be, in MB (2**20 bytes).

    Raises:
        ToolkitError: it is no folder with DAGs, or has what cannot be deployed.
    """
    if not root.is_dir():
        raise ToolkitError(
            "there is no such folder" if not root.exists() else "it is no folder",
            where=str(root),
            fix="name a folder with DAGs, or a git repository: toolkit deploy -i DIR FOLDER",
        )
    is_project = (root / DAGS).is_dir()
    if is_project and (root / DAGS).is_symlink():
        raise ToolkitError(
            f"it is a link, to {os.readlink(root / DAGS)}, and Airflow's folder of DAGs has to be a folder",  # noqa: PTH115
            where=str(root / DAGS),
            fix=f"put the folder in its place, or name the one that has it: {(root / DAGS).resolve().parent}",
        )
    found = sorted(_files(root, is_project, file_mb * 2**20), key=lambda one: one.path)
    if not any(_may_be_dag(one) for one in found):
        raise ToolkitError(
            "it has no file that could be a DAG (*.py or *.zip)",
            where=str(root / DAGS if is_project else root),
            fix=f"name the folder that has the DAGs, or one with {DAGS}/ in it",
        )
    _refuse_dangling(root, found)
    return Tree(root, is_project, tuple(found))


def _refuse_dangling(root: Path, found: list[File]) -> None:
    """Links to what is there here, and no part of the release."""
    there = {place for one in found for place in (one.source, *one.source.parents)}
    there = {root.resolve() / one.relative_to(root) for one in there if one.is_relative_to(root)}
    for one in found:
        if one.link and one.source.resolve() not in there:
            raise ToolkitError(
                f"it is a link to {one.link}, which is left out of a release",
                where=str(one.source),
                fix="put a copy in its place, or remove it",
            )


def _may_be_dag(one: File) -> bool:
    return one.path.startswith(f"{DAGS}/") and (
        one.path.endswith((".py", ".zip")) or bool(one.link)
    )


def _files(root: Path, is_project: bool, limit: int) -> Iterator[File]:
    for count, path in enumerate(_walk(root)):
        if count == FILES:
            raise ToolkitError(
                f"it has more than {FILES} files",
                where=str(root),
                fix=f"name the folder that has the DAGs; most files are in {_fullest(root)}",
            )
        yield _file(root, path, is_project, limit)
    ignored = root / IGNORE
    if is_project and ignored.is_file() and not (root / DAGS / IGNORE).exists():
        # Airflow reads it beside the DAGs.
        yield _read(f"{DAGS}/{IGNORE}", ignored, "444")


def _walk(root: Path) -> Iterator[Path]:
    for folder, directories, names in os.walk(root, onerror=_refuse):
        here = Path(folder)
        for name in sorted(directories):
            if (here / name).is_symlink():
                names.append(name)
        directories[:] = sorted(
            name
            for name in directories
            if name not in LEFT_OUT
            and not (here / name).is_symlink()
            and not (here / name / "pyvenv.cfg").exists()
        )
        yield from (
            here / name
            for name in sorted(names)
            if name not in LEFT_OUT and not name.endswith((".pyc", ".pyo"))
        )


def _refuse(error: OSError) -> None:
    raise ToolkitError(
        f"it cannot be read: {error.strerror}",
        where=str(error.filename),
        fix=f"sudo chmod -R u+rX {error.filename}",
    )


def _fullest(root: Path) -> str:
    """The folder directly below that has most files."""
    counts = {one.name: sum(1 for _ in _walk(one)) for one in root.iterdir() if one.is_dir()}
    return max(counts, key=lambda name: counts[name], default=".")


def _file(root: Path, path: Path, is_project: bool, limit: int) -> File:
    relative = path.relative_to(root).as_posix()
    try:
        relative.encode("utf-8")
    except UnicodeEncodeError:
        raise ToolkitError(
            f"the name of a file is not UTF-8: {relative.encode(errors='surrogateescape')!r}",
            where=str(root),
            fix="rename it",
        ) from None
    name = relative if is_project else f"{DAGS}/{relative}"
    try:
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            return _link(root, path, name)
        if not stat.S_ISREG(status.st_mode):
            raise ToolkitError(
                f"it is a {_KINDS.get(stat.S_IFMT(status.st_mode), 'special file')}, which cannot be deployed",
                where=str(path),
                fix="move it out of the folder",
            )
        if status.st_size > limit:
            raise ToolkitError(
                f"it has {status.st_size / 2**20:.0f} MB, and {limit // 2**20} are allowed: every host keeps a copy in each release",
                where=str(path),
                fix="keep data elsewhere, or allow it: --max-file-size "
                f"{-(-status.st_size // 2**20)}",
            )
        return _read(name, path, "555" if status.st_mode & 0o100 else "444")
    except OSError as error:
        _refuse(error)
        raise


def _read(name: str, path: Path, mode: str) -> File:
    content = path.read_bytes()
    return File(name, path, mode, hashlib.sha256(content).hexdigest(), len(content))


_KINDS = {stat.S_IFSOCK: "socket", stat.S_IFIFO: "named pipe", stat.S_IFBLK: "device", stat.S_IFCHR: "device"}  # fmt: skip


def _link(root: Path, path: Path, name: str) -> File:
    """A link that leads to something of the same tree, and not around in a circle."""
    target = os.readlink(path)  # noqa: PTH115  (pathlib's makes a Path of it, and loses "./")
    place = Path(os.path.normpath(path.parent / target))
    real_root = root.resolve()
    inside = not target.startswith("/") and place.is_relative_to(root)
    try:
        real = path.resolve()
    except RuntimeError:  # before Python 3.13
        real = path
    if not inside or not real.is_relative_to(real_root):
        raise ToolkitError(
            f"it is a link that leads out of the folder, to {target}",
            where=str(path),
            fix="put a copy in its place",
        )
    if not path.exists():
        raise ToolkitError(
            f"it is a link to {target}, which is not there", where=str(path), fix="remove it"
        )
    if path.parent.resolve().is_relative_to(path.resolve()):
        raise ToolkitError(
            f"it is a link to {target}, a folder above it: Airflow would read in a circle",
            where=str(path),
            fix="remove it",
        )
    return File(name, path, link=target)
