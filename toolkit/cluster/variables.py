"""The inventory's variables: which of them counts where, in Ansible's order of precedence."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from toolkit.cluster.answers import Evaluation
from toolkit.cluster.specs import load_specs
from toolkit.cluster.vaultfile import Passwords, write_private
from toolkit.cluster.yamlfile import (
    UnsafeText,
    VaultedValue,
    has_vaulted,
    is_template,
    is_vaulted,
    parse_mapping,
    read_text,
)
from toolkit.content import cache_dir
from toolkit.errors import Location, ToolkitError

Scope = tuple[str, str]
"""What variables are for: ("group", NAME) or ("host", NAME); Ansible knows both of one name."""

ALL: Scope = ("group", "all")


@dataclass(frozen=True)
class Variable:
    """One variable as it is written in the inventory.

    Attributes:
        location: where.
        scope: "all", a group or a host.
        secret: it comes from a vault, so its value is never repeated.
        computed: a script or a plugin gave it its name, so that is nobody's mistake.
    """

    name: str
    value: Any = field(repr=False)
    location: Location
    scope: str
    secret: bool = False
    computed: bool = False


class Layer:
    """The variables of one scope from one place."""

    def __init__(self, variables: Iterable[Variable]) -> None:
        self._variables = {variable.name: variable for variable in variables}

    def variables(self) -> Mapping[str, Variable]:
        """All of them, by name.

        Raises:
            ToolkitError: they are encrypted, and the password is missing or wrong.
        """
        return self._variables

    def names(self) -> Collection[str]:
        """The names of its variables; raises as `variables` does."""
        return self.variables()


class File(Layer):
    """A file of variables; it is opened when one of them is asked for, and once.

    Args:
        path: the file, which need not exist yet.
        scope: whose variables are in it.
        passwords: for one that is encrypted.
        secret: all of it is, even if it is not encrypted.
    """

    def __init__(
        self, path: Path, scope: str, passwords: Passwords, *, secret: bool = False
    ) -> None:
        self.path = path
        self._scope = scope
        self.passwords = passwords
        self._secret = secret
        self._opened: Mapping[str, Variable] | ToolkitError | None = None
        self._names: Collection[str] | None = None

    @property
    def encrypted(self) -> bool:
        """Whether the whole file is."""
        return self.path.exists() and is_vaulted(self.path)

    def variables(self) -> Mapping[str, Variable]:
        """All of them, by name."""
        if self._opened is None:
            try:
                self._opened = {variable.name: variable for variable in self._read()}
            except ToolkitError as error:
                self._opened = error  # the same at the next question
        if isinstance(self._opened, ToolkitError):
            raise self._opened
        return self._opened

    def names(self) -> Collection[str]:
        """The names of its variables; of an encrypted file they are remembered by its digest.

        Most questions are about others, and to open the file takes half a second.
        """
        if self._names is None:  # asked for with every setting of every host
            if self._opened is not None or not self.encrypted:
                return self.variables()
            digest = hashlib.sha256(self.path.read_bytes()).hexdigest()
            self._names = frozenset(remembered(digest, lambda: sorted(self.variables())))
        return self._names

    def forget(self) -> None:
        """Read it again at the next question: it was written."""
        self._opened = self._names = None

    def _read(self) -> Iterator[Variable]:
        if not self.path.exists():
            return
        text = self.text()
        secret = self._secret or self.encrypted
        for name, (value, location) in parse_mapping(text, self.path).items():
            yield Variable(name, value, location, self._scope, secret)

    def text(self) -> str:
        """What is written in it, decrypted; raises as `variables` does."""
        text = read_text(self.path)
        return self.passwords.decrypt(text, Location(self.path)) if self.encrypted else text


class HostListVault(File):
    """A host list that gives variables to all hosts and does nothing else: `all: {vars: ...}`."""

    def _read(self) -> Iterator[Variable]:
        if not self.path.exists():
            return
        whole, location = parse_mapping(self.text(), self.path).get(
            "all", ({}, Location(self.path))
        )
        variables = (whole or {}).get("vars") or {}
        for name, value in variables.items():
            yield Variable(str(name), value, location, "all", secret=True)


def remembered(digest: str, read: Callable[[], list[str]]) -> Collection[str]:
    """The names in an encrypted file, from the cache of this user or read now. Never a value."""
    path = cache_dir() / "vaults" / f"{digest}.json"
    try:
        found: list[str] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = read()
        with suppress(OSError):  # without a cache the file is opened each time
            write_private(path, json.dumps(found))
    return found


class Merged(Mapping[str, Any]):
    """The variables of a host, or of all hosts, as Ansible merges them.

    Where an encrypted file cannot be opened, a secret setting that could be in it raises, and
    everything else is answered without it.

    Args:
        layers: later ones win.
        host: whose they are; "" for all hosts'.
        reading: opens what is encrypted, and evaluates templates.
    """

    def __init__(
        self, layers: Iterable[Layer], host: str = "", reading: Reading | None = None
    ) -> None:
        self._layers = tuple(layers)[::-1]
        self._host = host
        self._reading = reading

    def find(self, name: str) -> Variable | None:
        """The variable that counts, with its place.

        Raises:
            ToolkitError: it is a secret, and the vault's password is missing or wrong.
        """
        for layer in self._layers:
            try:
                found = layer.variables()[name] if name in layer.names() else None
            except ToolkitError:
                if _is_secret(name):
                    raise
                continue
            if found is not None:
                return self._reading.read(found, self._host) if self._reading else found
        return None

    def problem(self, name: str) -> str:
        """Why a template has no value before the host is connected to; "" when nobody knows."""
        return self._reading.evaluation.problem(self._host, name) if self._reading else ""

    def __getitem__(self, name: str) -> Any:
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found.value

    def __iter__(self) -> Iterator[str]:
        names: dict[str, None] = {}
        for layer in self._layers:
            try:
                names |= dict.fromkeys(layer.names())
            except ToolkitError:
                continue
        return iter(names)

    def __len__(self) -> int:
        return len(list(iter(self)))


def _is_secret(name: str) -> bool:
    spec = load_specs().get(name)
    return spec is not None and spec.secret


@dataclass(frozen=True)
class Reading:
    """What makes values of what is written: the vault's passwords, and Ansible for templates."""

    passwords: Passwords
    evaluation: Evaluation

    def read(self, variable: Variable, host: str) -> Variable:
        """A variable with the value that it has on a host ("" for all).

        A template that cannot be evaluated yet stays as it is written.

        Raises:
            ToolkitError: it is encrypted, and the password is missing or wrong.
        """
        variable = self.opened(variable)
        if not is_template(variable.value):
            return variable
        value = self.evaluation.value(host, variable.name, variable.value)
        return replace(variable, value=value)

    def opened(self, variable: Variable) -> Variable:
        """A variable with the encrypted parts of its value as plain text."""
        if not has_vaulted(variable.value):
            return variable

        def plain(value: Any) -> Any:
            if isinstance(value, VaultedValue):
                # As in Ansible: what was encrypted is no template, whatever it looks like.
                return UnsafeText(self.passwords.decrypt(value, variable.location))
            if isinstance(value, dict):
                return {key: plain(inner) for key, inner in value.items()}
            return [plain(inner) for inner in value] if isinstance(value, list) else value

        return replace(variable, value=plain(variable.value), secret=True)


@dataclass(frozen=True)
class Variables:
    """All variables of an inventory.

    Attributes:
        inline: those in the host lists.
        files: those of group_vars/ and host_vars/, in Ansible's order of files.
        reading: opens what is encrypted, and evaluates templates.
        vault: the file for generated secrets, which is one of `files`.
    """

    inline: Mapping[Scope, Layer] = field(default_factory=dict)
    files: Mapping[Scope, Sequence[Layer]] = field(default_factory=dict)
    reading: Reading | None = None
    vault: File = field(default_factory=lambda: File(Path("vault.yml"), "all", Passwords(Path())))

    @property
    def passwords(self) -> Passwords:
        """Those of the inventory's vaults."""
        return self.vault.passwords

    def everything(self) -> Iterator[Variable]:
        """Every variable, as it is written, but with what is encrypted in plain.

        Raises:
            ToolkitError: a file is encrypted, and the password is missing or wrong.
        """
        for layer in (
            *self.inline.values(),
            *(layer for part in self.files.values() for layer in part),
        ):
            for variable in layer.variables().values():
                yield self.reading.opened(variable) if self.reading else variable

    def of_all(self) -> Merged:
        """What is set for all hosts alike."""
        return Merged([*self._inline(ALL), *self._files(ALL)], "", self.reading)

    def of_host(self, host: str, groups: Sequence[str]) -> Merged:
        """What is set for a host.

        Args:
            groups: its groups, in Ansible's order; without "all".
        """
        scopes = [ALL, *(("group", group) for group in groups)]
        own = ("host", host)
        layers = [
            *self._inline(*scopes),
            *self._files(*scopes),
            *self._inline(own),
            *self._files(own),
        ]
        return Merged(layers, host, self.reading)

    def _inline(self, *scopes: Scope) -> list[Layer]:
        return [self.inline[scope] for scope in scopes if scope in self.inline]

    def _files(self, *scopes: Scope) -> list[Layer]:
        return [layer for scope in scopes for layer in self.files.get(scope, ())]
