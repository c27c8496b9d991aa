"""Which files of an inventory's directories are host lists, and which only lie beside them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from toolkit.cluster.inventory import Inventory
from toolkit.cluster.vaultfile import Passwords
from toolkit.cluster.yamlfile import VAULT_HEADER, read_bytes
from toolkit.errors import ToolkitError

YAML = {".yml", ".yaml"}
_SECTION = re.compile(rb"^[ \t]*\[[^\]\s]+\][ \t]*(?:#.*)?\r?$", re.MULTILINE)
_PLUGIN = re.compile(rb"^[\"']?plugin[\"']?\s*:", re.MULTILINE)
_SEQUENCE = re.compile(rb"\A(?:[ \t]*(?:#[^\n]*|---[^\n]*)?\r?\n)*[ \t]*- ")


@dataclass(frozen=True)
class HostList:
    """A file that Ansible would take for a host list.

    Attributes:
        named: -i names the file itself.
    """

    path: Path
    named: bool = False

    @cached_property
    def _content(self) -> bytes:
        """What is in it; nothing where it cannot be read, which is said of those that have to be."""
        try:
            return read_bytes(self.path)
        except ToolkitError:
            return b""

    @cached_property
    def is_vaulted(self) -> bool:
        """Whether the whole file is encrypted."""
        return self._content.startswith(VAULT_HEADER.encode())

    @cached_property
    def is_program(self) -> bool:
        """Whether it makes the list anew each time: a program, or what a plugin is told to do."""
        if self._content.startswith((b"#!", b"\x7fELF")):
            return os.access(self.path, os.X_OK)
        return self.path.suffix in YAML and _PLUGIN.search(self._content) is not None

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is YAML that can be read without Ansible."""
        return self.path.suffix in YAML and not self.is_vaulted and not self.is_program

    @cached_property
    def is_other(self) -> bool:
        """Whether it is YAML, but a list such as a playbook's or of requirements, which has no groups."""
        listed = self.path.suffix in YAML and _SEQUENCE.match(self._content)
        return bool(listed) and not self.named

    @cached_property
    def is_meant(self) -> bool:
        """Whether somebody means it to name hosts, so that it has to be read, or refused.

        Anything else Ansible tries to read as well, and leaves out with a warning: a README for example.
        """
        if self.named or self.is_program:
            return True
        if self.path.suffix in {*YAML, ".json", ".ini", ".toml"}:
            return True
        return not self.path.suffix and _SECTION.search(self._content) is not None


def host_lists(inventory: Inventory, passwords: Passwords) -> list[HostList]:
    """The host lists of an inventory, in Ansible's order, without files that hold a vault's password.

    Ansible would take such a password for the name of a host.
    """
    secret = {one.file.resolve() for one in passwords.identities}
    found = (HostList(path, path in inventory.sources) for path in inventory.host_lists())
    return [one for one in found if one.named or one.path.resolve() not in secret]
