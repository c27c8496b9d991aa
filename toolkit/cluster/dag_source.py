"""Where DAGs are deployed from: a folder, or a git repository that is fetched first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit, urlunsplit

from toolkit.cluster.meanings import url_problem
from toolkit.cluster.model import Cluster
from toolkit.content import cache_dir, expanded
from toolkit.errors import ToolkitError

PATIENCE = 600
"""Seconds that one git command may take."""
_URL = re.compile(r".*://|[^/\s@:]+@[^/\s:]+:")
_SHORT = re.compile(r"[\w.-]+:(?!//)[^\\]")
"""host:path, as ssh and git write it as well; a folder may have such a name."""
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_LFS = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True)
class Source:
    """What SOURCE, --ref and the settings come to.

    Attributes:
        shown: for people and records, without a password.
        folder: where it is on this machine; None for a repository that is fetched.
        url: of the repository, without user and password; "" for a folder.
        ref: branch, tag or commit; "" for the default branch.
        key: the deploy key.
        login: user and password of the URL.
    """

    shown: str
    folder: Path | None = None
    url: str = ""
    ref: str = ""
    key: Path | None = None
    login: tuple[str, str] | None = field(default=None, repr=False)


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


def source_of(cluster: Cluster, given: str | None, ref: str | None) -> Source:
    """The source that the command line names, else the settings.

    Raises:
        ToolkitError: there is none, or it cannot be one.
    """
    text = given or str(cluster.setting("airflow_dags_source") or "")
    if not text:
        raise ToolkitError(
            "which DAGs? No folder or repository is named, and airflow_dags_source is not set",
            where=str(cluster.directory),
            fix=f"toolkit deploy -i {cluster.inventory} FOLDER, or set airflow_dags_source in group_vars/all/airflow.yml; "
            f"for a small example: toolkit deploy -i {cluster.inventory} --example",
        )
    ref = (
        str(cluster.setting("airflow_dags_ref") or "") if ref is None and not given else ref
    ) or ""
    if ref.startswith("-") or re.search(r"[\s\x00-\x1f~^:?*\[\\]|\.\.|@\{", ref):
        raise ToolkitError(
            f"{ref!r} is no branch, tag or commit", where="--ref", fix="for example --ref main"
        )
    key = str(cluster.setting("airflow_dags_key") or "")
    is_url = _URL.match(text) or (_SHORT.match(text) and not Path(expanded(text)).exists())
    if is_url and not text.startswith("file://"):
        return _repository(text, ref, cluster.directory / expanded(key) if key else None)
    path = expanded(text.removeprefix("file://"))
    base = Path.cwd() if given else cluster.directory
    path = Path(os.path.normpath(base / path))
    if _is_bare(path) or (ref and (path / ".git").exists()):
        return Source(str(path), url=str(path), ref=ref)
    if ref and path.exists():
        raise ToolkitError(
            f"{path} is no git repository, so it has no {ref}", where="--ref", fix="leave --ref out"
        )
    return Source(str(path), folder=path)


def _is_bare(path: Path) -> bool:
    return (path / "HEAD").is_file() and (path / "objects").is_dir()


def _repository(text: str, ref: str, key: Path | None) -> Source:
    if "://" not in text:  # [user@]host:path, as ssh and git write it
        return Source(text, url=text, ref=ref, key=_usable(key))
    if problem := url_problem(text):
        raise ToolkitError(
            problem,
            where="the URL of the repository",
            fix="for example git@git.example.com:team/dags.git, or https://git.example.com/team/dags.git",
        )
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https"):
        if parts.password:
            raise ToolkitError(
                "git by SSH takes no password from a URL",
                where="the URL of the repository",
                fix="use a key: airflow_dags_key; or https with a token",
            )
        return Source(text, url=text, ref=ref, key=_usable(key))
    if "@" not in parts.netloc:
        return Source(text, url=text, ref=ref)
    plain = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
    # A token may be the user's name.
    login = unquote(parts.username or ""), unquote(parts.password or "")
    return Source(plain, url=plain, ref=ref, login=login)


def _usable(key: Path | None) -> Path | None:
    """The key, if ssh will use it."""
    if key is None:
        return None
    if not key.is_file():
        raise ToolkitError(
            "airflow_dags_key names a file that is not there",
            where=str(key),
            fix=f"make one, and add {key}.pub to the repository's deploy keys: ssh-keygen -t ed25519 -N '' -f {key}",
        )
    if key.stat().st_mode & 0o077:
        raise ToolkitError(
            "others may read this key, so ssh does not use it",
            where=str(key),
            fix=f"chmod 600 {key}",
        )
    return key


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
    _git(source, home, *tree, "read-tree", commit, more=index)
    _git(source, home, *tree, "checkout-index", "--all", "--force", more=index)
    _refuse_pointers(root)
    return Fetched(root, source.ref, commit)


def _entries(source: Source, home: Path, commit: str) -> list[tuple[str, str]]:
    """Mode and path of what a commit has."""
    lines = _git(source, home, "ls-tree", "-r", "-z", commit).split("\0")
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
            _git(
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
            return _git(source, home, "rev-parse", "--verify", "FETCH_HEAD^{commit}").strip(), home
        except _UnknownRefError as error:
            if not _COMMIT.fullmatch(source.ref):
                raise error.explained() from None
    # Few servers give out a commit by its name, and none by the beginning of one.
    with _repository_of_ours(f"{name}-whole") as home:
        _git(source, home, "fetch", "--quiet", "--prune", "--", source.url,
             "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")  # fmt: skip
        try:
            return _git(
                source, home, "rev-parse", "--verify", f"{source.ref}^{{commit}}"
            ).strip(), home
        except _UnknownRefError as error:
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


class _UnknownRefError(Exception):
    """git knows no such branch, tag or commit."""

    def __init__(self, source: Source) -> None:
        super().__init__(source.ref)
        self.source = source

    def explained(self) -> ToolkitError:
        """For the user."""
        source = self.source
        return ToolkitError(
            f"there is no branch, tag or commit {source.ref} in it"
            if source.ref
            else "it has no commit",
            where=source.shown,
            fix=f"see which there are: git ls-remote {source.shown}",
        )


def _git(source: Source, home: Path, *words: str, more: Mapping[str, str] | None = None) -> str:
    """What a git command prints.

    Raises:
        ToolkitError: it failed; says why.
        _UnknownRefError: there is no such ref.
    """
    command = ["git", "-C", str(home), *words]
    try:
        done = subprocess.run(command, env={**_environment(source), **(more or {})}, check=False, capture_output=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ToolkitError(
            f"git got no answer within {PATIENCE} s",
            where=source.shown,
            fix=f"try: git ls-remote {source.shown}",
        ) from None
    if done.returncode:
        raise _explained(source, done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace")


def _environment(source: Source) -> dict[str, str]:
    """git's: it asks nobody, uses the deploy key, and finds the password where no command line shows it."""
    found = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    ssh = [
        "ssh",
        "-o",
        "BatchMode=yes",
        "-o",
        "ConnectTimeout=10",
        "-o",
        "StrictHostKeyChecking=accept-new",
    ]
    if source.key:
        ssh += ["-i", f"'{source.key}'", "-o", "IdentitiesOnly=yes"]
    found["GIT_SSH_COMMAND"] = " ".join(ssh)
    if source.login:
        found |= {
            "TOOLKIT_GIT_USER": source.login[0],
            "TOOLKIT_GIT_PASSWORD": source.login[1],
            # The first forgets the user's own helpers, to which git would give what it has been given.
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "credential.helper",
            "GIT_CONFIG_VALUE_0": "",
            "GIT_CONFIG_KEY_1": "credential.helper",
            "GIT_CONFIG_VALUE_1": '!f() { printf "username=%s\\npassword=%s\\n" "$TOOLKIT_GIT_USER" "$TOOLKIT_GIT_PASSWORD"; }; f',
        }
    return found


_KEY_FIX = (
    "add its public half to the repository's deploy keys: ssh-keygen -y -f {key}; "
    "another key: airflow_dags_key in group_vars/all/airflow.yml"
)
_CAUSES: Mapping[str, tuple[str, str]] = {
    r"couldn't find remote ref|not our ref|unadvertised object|needed a single revision|unknown revision|bad revision": ("", ""),
    r"incorrect passphrase":
        ("airflow_dags_key has a passphrase, for which nobody is asked", "make one without: ssh-keygen -t ed25519 -N '' -f {key}.new; "
         "or take the passphrase away: ssh-keygen -p -f {key}"),
    r"error in libcrypto|invalid format":
        ("ssh cannot read airflow_dags_key: it has line ends of Windows, or a part is missing",
         r"sed -i 's/\r$//' {key}; then see whether it can be read: ssh-keygen -y -f {key}"),
    r"permission denied \(|too many authentication failures":
        ("the server refuses the key", _KEY_FIX),
    r"authentication failed|could not read (username|password)|access denied|HTTP 40[13]|error: 40[13]":
        ("the server refuses the login", "write the user and a token into the URL, in the vault: "
         'airflow_dags_source: "https://USER:{{{{ vault_dags_token }}}}@HOST/PATH"'),
    r"host key verification failed": ("the server has another host key than before",
                                      "find out why, then: ssh-keygen -R HOST"),
    r"could not resolve|failed to connect|name or service not known|connection (refused|timed out)|no route|network is unreachable":
        ("the server cannot be reached", "try: git ls-remote {source}"),
    r"could not be found or you don't have permission":
        ("there is no such repository, or it may not be read with this key or token", "try: git ls-remote {source}"),
    r"does not appear to be a git|repository .*not found|not a git repository|does not exist|error: 404":
        ("there is no such repository", "try: git ls-remote {source}"),
}  # fmt: skip
"""What git says -> what is wrong, and what to do; an empty cause is an unknown ref."""


_TRAILER = re.compile(
    "fatal: Could not read from remote|Please make sure you have|and the repository exists"
)
"""What git adds to whatever a server or ssh says."""


def _explained(source: Source, text: str) -> Exception:
    key = str(source.key or "KEY")
    for pattern, (cause, fix) in _CAUSES.items():
        if re.search(pattern, text, re.I):
            if not cause:
                return _UnknownRefError(source)
            return ToolkitError(
                cause, where=source.shown, fix=fix.format(key=key, source=source.shown)
            )
    lines = [line.removeprefix("remote:").strip() for line in text.splitlines()]
    telling = [line for line in lines if re.search(r"\w", line) and not _TRAILER.match(line)]
    said = telling[-1] if telling else "it gave no reason"
    if source.login:
        secret = source.login[1] or source.login[0]  # a token may be the user's name
        said = said.replace(secret, "********") if secret else said
    return ToolkitError(
        f"git failed: {said}", where=source.shown, fix=f"try: git ls-remote {source.shown}"
    )


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


def without_password(text: str) -> str:
    """A command line without the passwords of URLs in it."""
    text = re.sub(r"(https?://)\S*@", r"\1********@", text)
    return re.sub(r"(\w://[^\s:/@]*):\S*@", r"\1:********@", text)
