"""Where DAGs are deployed from: a folder, or a git repository."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from toolkit.cluster.meanings import url_problem
from toolkit.cluster.model import Cluster
from toolkit.content import expanded
from toolkit.errors import ToolkitError

_URL = re.compile(r".*://|[^/\s@:]+@[^/\s:]+:")
_SHORT = re.compile(r"[\w.-]+:(?!//)[^\\]")
"""host:path, as ssh and git write it as well; a folder may have such a name."""


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


def without_password(text: str) -> str:
    """A command line without the passwords of URLs in it."""
    text = re.sub(r"(https?://)\S*@", r"\1********@", text)
    return re.sub(r"(\w://[^\s:/@]*):\S*@", r"\1:********@", text)
