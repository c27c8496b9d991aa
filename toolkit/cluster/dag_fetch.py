"""The files of a source of DAGs in a folder of this machine; those of a repository are fetched first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from toolkit.cluster.dag_source import Source
from toolkit.cluster.git import UnknownRefError, git
from toolkit.content import cache_dir
from toolkit.errors import ToolkitError

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Fetched:
    """A source that is on this machine.

    Attributes:
        root: the folder with its files.
        ref: what people call it: the branch or tag.
        commit: of git; "" where nobody knows.
        modified: whether the folder has changes that are in no commit.
    """

    root: Path
    ref: str = ""
    commit: str = ""
    modified: bool = False


def fetch(source: Source, scratch: Path) -> Fetched:
    """Have the files of a source in a folder.

    Args:
        scratch: an empty directory for those of a repository.

    Raises:
        ToolkitError: the repository cannot be reached, or has no such ref.
    """
    if source.folder is not None:
        return _in_place(source.folder)
    if shutil.which("git") is None:
        raise ToolkitError("git is not installed here", fix="sudo apt-get install git")
    commit, home = _fetched(source)
    entries = _entries(source, home, commit)
    _refuse_submodules(source, entries)
    _refuse_below_links(source, entries)
    root = scratch / "files"
    root.mkdir(parents=True, exist_ok=True)
    # Not `git archive`, which leaves out what export-ignore names; and nothing is fetched for Git LFS.
    tree = ("-c", "filter.lfs.smudge=", "-c", "filter.lfs.process=", "-c", "filter.lfs.required=false",
            "-c", "core.autocrlf=false", f"--git-dir={home}", f"--work-tree={root}")  # fmt: skip
    index = {"GIT_INDEX_FILE": str(scratch / "index")}
    git(source, home, *tree, "read-tree", commit, more=index)
    git(source, home, *tree, "checkout-index", "--all", "--force", more=index)
    _refuse_pointers(root)
    return Fetched(root, source.ref, commit)


def _entries(source: Source, home: Path, commit: str) -> list[tuple[str, str]]:
    """Mode and path of what a commit has."""
    lines = git(source, home, "ls-tree", "-r", "-z", commit).split("\0")
    return [(line.split(" ", 1)[0], line.partition("\t")[2]) for line in lines if line]


def _refuse_below_links(source: Source, entries: list[tuple[str, str]]) -> None:
    """A tree that was made by hand can have a link and a folder of one name: what is in it would be written elsewhere."""
    links = {path for mode, path in entries if mode == "120000"}
    for _, path in entries:
        if any(str(above) in links for above in PurePosixPath(path).parents):
            raise ToolkitError(
                f"{path} is below a link, which git itself never makes",
                where=source.shown,
                fix=f"see who made it: git log -- {path}",
            )


def _in_place(folder: Path) -> Fetched:
    """A folder as it is; git says which commit it is about, where it knows."""
    if not folder.is_dir() or shutil.which("git") is None:
        return Fetched(folder)

    def ask(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(folder), *words], check=False, capture_output=True,
                              env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"})  # fmt: skip
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""

    commit = ask("rev-parse", "--verify", "-q", "HEAD")
    if not commit:
        return Fetched(folder)
    branch = ask("symbolic-ref", "-q", "--short", "HEAD")
    return Fetched(folder, branch, commit, bool(ask("status", "--porcelain", "--", ".")))


def _fetched(source: Source) -> tuple[str, Path]:
    """The commit of a source, and the repository of ours that has it."""
    name = hashlib.sha256(source.url.encode()).hexdigest()[:16]
    with _repository_of_ours(name) as home:
        try:
            git(
                source,
                home,
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--",
                source.url,
                source.ref or "HEAD",
            )
            return git(source, home, "rev-parse", "--verify", "FETCH_HEAD^{commit}").strip(), home
        except UnknownRefError as error:
            if not _COMMIT.fullmatch(source.ref):
                raise error.explained() from None
    # Few servers give out a commit by its name, and none by the beginning of one.
    with _repository_of_ours(f"{name}-whole") as home:
        git(source, home, "fetch", "--quiet", "--prune", "--", source.url,
             "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")  # fmt: skip
        try:
            return git(
                source, home, "rev-parse", "--verify", f"{source.ref}^{{commit}}"
            ).strip(), home
        except UnknownRefError as error:
            raise error.explained() from None


@contextmanager
def _repository_of_ours(name: str) -> Iterator[Path]:
    home = cache_dir() / "git" / name
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home.parent / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "HEAD").exists():
            subprocess.run(
                ["git", "init", "--quiet", "--bare", str(home)], check=True, capture_output=True
            )
        # Those of a git that was killed: ours lets in one at a time.
        for left in home.rglob("*.lock"):
            left.unlink()
        yield home


def _refuse_submodules(source: Source, entries: list[tuple[str, str]]) -> None:
    paths = [path for mode, path in entries if mode == "160000"]
    if paths:
        raise ToolkitError(
            f"it has a submodule, {paths[0]}, which is not fetched",
            where=source.shown,
            fix="clone it with --recurse-submodules, and deploy that folder",
        )


def _refuse_pointers(root: Path) -> None:
    """Files that are kept in Git LFS are not there, only what points to them."""
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.stat().st_size < 1024:
            with path.open("rb") as file:
                if file.read(len(_LFS)) == _LFS:
                    raise ToolkitError(
                        f"{path.relative_to(root)} is kept in Git LFS, and is not fetched",
                        where=str(path.relative_to(root)),
                        fix="clone the repository with git lfs, and deploy that folder",
                    )
