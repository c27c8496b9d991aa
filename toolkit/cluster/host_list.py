"""Which files of an inventory's directories are host lists, and which only lie beside them."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from toolkit.cluster.inventory import Inventory
from toolkit.cluster.vaultfile import Passwords
from toolkit.cluster.yamlfile import is_vaulted, read_bytes

YAML = {".yml", ".yaml"}
_PASSWORD = re.compile(r"vault[-_. ]?pass", re.IGNORECASE)
"""In names that people give to files with a vault's password."""
_SECTION = re.compile(rb"^\s*\[[^\]\s]+\]\s*(#.*)?$", re.MULTILINE)
_PLUGIN = re.compile(rb"^[\"']?plugin[\"']?\s*:", re.MULTILINE)
_SEQUENCE = re.compile(rb"\A(?:\s*(?:#[^\n]*|---[^\n]*)?\n)*\s*- ")


@dataclass(frozen=True)
class HostList:
    """A file that Ansible would take for a host list.

    Attributes:
        named: -i names the file itself.
    """

    path: Path
    named: bool = False

    @cached_property
    def is_program(self) -> bool:
        """Whether it makes the list anew each time: a script, or what a plugin is told to do."""
        head = read_bytes(self.path, 4)
        if head[:2] == b"#!" or head == b"\x7fELF":
            return True
        return self.path.suffix in YAML and _PLUGIN.search(read_bytes(self.path)) is not None

    @cached_property
    def is_plain(self) -> bool:
        """Whether it is YAML that can be read without Ansible."""
        return self.path.suffix in YAML and not is_vaulted(self.path) and not self.is_program

    @cached_property
    def is_other(self) -> bool:
        """Whether it is YAML, but a list such as a playbook's or of requirements, which has no groups."""
        return (
            self.path.suffix in YAML and _SEQUENCE.match(read_bytes(self.path, 65536)) is not None
        )

    @cached_property
    def is_meant(self) -> bool:
        """Whether somebody means it to name hosts, so that it has to be read, or refused.

        Anything else Ansible tries to read as well, and leaves out with a warning: a README for example.
        """
        if self.named or self.is_program or os.access(self.path, os.X_OK):
            return True
        if self.path.suffix in {*YAML, ".json", ".ini", ".toml"}:
            return True
        return not self.path.suffix and _SECTION.search(read_bytes(self.path)) is not None


def host_lists(inventory: Inventory, passwords: Passwords) -> list[HostList]:
    """The host lists of an inventory, in Ansible's order, without files that hold a vault's password.

    Ansible would take such a password for the name of a host.
    """
    secret = {one.file.resolve() for one in passwords.identities}
    found = (HostList(path, path in inventory.sources) for path in inventory.host_lists())
    return [
        one
        for one in found
        if one.named or not (_PASSWORD.search(one.path.name) or one.path.resolve() in secret)
    ]
