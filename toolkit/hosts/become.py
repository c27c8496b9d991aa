"""Becoming root on a host: the command of each become method, and what it asks for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from toolkit.cluster.access import Access
from toolkit.cluster.login import ROOT
from toolkit.hosts.problem import NO_SUDO, PROMPT

_TERMINAL_PROMPT = "[sudo] password: "


@dataclass(frozen=True)
class Become:
    """How one becomes root on a host.

    Attributes:
        method: sudo, su or doas.
        program: the method's program.
        flags: the user's own arguments for it, as in a shell.
    """

    method: str = "sudo"
    program: str = "sudo"
    flags: str = ""

    @classmethod
    def on(cls, access: Access) -> Become:
        """As the inventory has it."""
        return cls(access.become_method, access.become_program, access.become_flags)

    @property
    def prompt(self) -> str:
        """A regular expression of the question that a program without a terminal asks."""
        return _METHODS[self.method].prompt

    @property
    def terminal_prompt(self) -> str:
        """The same on a terminal."""
        return _METHODS[self.method].terminal_prompt

    def line(self, script: str, *, asked: bool) -> str:
        """A line for sh that runs a script of sh as root, or says that there is no such program.

        Args:
            asked: whether a question for the password can be answered.
        """
        words = _METHODS[self.method].words(self, asked, False)
        return f"{self._missing()}exec {shlex.join(words)} {self._script(script)}"

    def on_terminal(self, script: str) -> str:
        """A line for sh that runs a script of sh as root, on a terminal."""
        words = _METHODS[self.method].words(self, True, True)
        return f"{self._missing()}exec {shlex.join(words)} {self._script(script)}"

    def _missing(self) -> str:
        program = shlex.quote(self.program)
        return f"command -v {program} >/dev/null || {{ echo {NO_SUDO} >&2; exit 127; }}; "

    def _script(self, script: str) -> str:
        inner = f"sh -c {shlex.quote(script)}"
        # su gives its argument to root's shell, whichever that is.
        return shlex.quote(f"exec {inner}") if self.method == "su" else inner


def _sudo(become: Become, asked: bool, terminal: bool) -> list[str]:
    # A shell in between (-i, -s) would expand what is quoted for the one behind it.
    own = _without(become.flags, "nSis")
    if terminal:
        return [become.program, *own, "-p", _TERMINAL_PROMPT, "--"]
    return [become.program, *own, *(["-S", "-p", PROMPT] if asked else ["-n"]), "--"]


def _su(become: Become, _asked: bool, _terminal: bool) -> list[str]:
    return [become.program, *shlex.split(become.flags), ROOT, "-c"]


def _doas(become: Become, _asked: bool, terminal: bool) -> list[str]:
    # doas reads a password from a terminal only.
    return [become.program, *_without(become.flags, "n"), *([] if terminal else ["-n"]), "--"]


def _without(flags: str, letters: str) -> list[str]:
    """Arguments without some switches, also where several stand in one word."""
    long = {"n": "--non-interactive", "S": "--stdin", "i": "--login", "s": "--shell"}
    kept = []
    for word in shlex.split(flags):
        if word in [long[letter] for letter in letters]:
            continue
        if re.fullmatch("-[A-Za-z]+", word):
            word = re.sub(f"[{letters}]", "", word)
        kept += [word] if word != "-" else []
    return kept


@dataclass(frozen=True)
class _Method:
    words: Callable[[Become, bool, bool], list[str]]
    prompt: str
    terminal_prompt: str


_ANY = r"(?i)password[^\n]*:\s*$"

_METHODS: Mapping[str, _Method] = {
    "sudo": _Method(_sudo, re.escape(PROMPT), re.escape(_TERMINAL_PROMPT)),
    "su": _Method(_su, _ANY, _ANY),
    "doas": _Method(_doas, _ANY, _ANY),
}
