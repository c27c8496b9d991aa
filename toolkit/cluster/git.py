"""git on this machine: one command of it, and what it says when it fails, in the user's words."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from toolkit.cluster.dag_source import Source
from toolkit.errors import ToolkitError

PATIENCE = 600
"""Seconds that one command may take."""


class UnknownRefError(Exception):
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


def git(source: Source, home: Path, *words: str, more: Mapping[str, str] | None = None) -> str:
    """What a git command prints.

    Raises:
        ToolkitError: it failed; says why.
        UnknownRefError: there is no such ref.
    """
    command = ["git", "-C", str(home), *words]
    try:
        done = subprocess.run(command, env={**environment(source), **(more or {})}, check=False, capture_output=True,
                              timeout=PATIENCE, stdin=subprocess.DEVNULL)  # fmt: skip
    except subprocess.TimeoutExpired:
        raise ToolkitError(
            f"git got no answer within {PATIENCE} s",
            where=source.shown,
            fix=f"try: git ls-remote {source.shown}",
        ) from None
    if done.returncode:
        raise explained(source, done.stderr.decode(errors="replace"))
    return done.stdout.decode(errors="replace")


def environment(source: Source) -> dict[str, str]:
    """git's: it asks nobody, uses the deploy key, and finds the password where no command line shows it."""
    found = {**os.environ, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0"}
    # A user whose own git goes by it, and who names no key here, has it done that way.
    theirs = os.environ.get("GIT_SSH_COMMAND") if not source.key else None
    ssh = theirs or "ssh -o BatchMode=yes -o ConnectTimeout=10 -o StrictHostKeyChecking=accept-new"
    key = f" -i '{source.key}' -o IdentitiesOnly=yes" if source.key else ""
    found["GIT_SSH_COMMAND"] = ssh + key
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


def explained(source: Source, text: str) -> Exception:
    """An error for the user, of what git said; UnknownRefError where a commit may still have that name."""
    key = str(source.key or "KEY")
    for pattern, (cause, fix) in _CAUSES.items():
        if re.search(pattern, text, re.I):
            if not cause:
                return UnknownRefError(source)
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
