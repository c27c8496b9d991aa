"""What Ansible itself says of an inventory: asked in a process of its own, and remembered."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.cluster.host_list import HostList, host_lists
from toolkit.cluster.inventory import Inventory, ansible_config
from toolkit.cluster.specs import load_specs
from toolkit.cluster.vaultfile import Passwords, write_private
from toolkit.cluster.yamlfile import is_vaulted, read_text
from toolkit.content import cache_dir, content_dir
from toolkit.errors import Location, ToolkitError

_CHANGING = (b"lookup(", b"query(", b" q(", b"now(", b"random", b"strftime", b"shuffle")
"""Texts in files whose answer may be another one the next time."""


def structure(
    inventory: Inventory, lists: Sequence[HostList], passwords: Passwords
) -> Mapping[str, Any]:
    """Groups, hosts and inline variables of the host lists, as in_ansible.py answers.

    Raises:
        ToolkitError: Ansible cannot read them.
    """
    encrypted = [one.path for one in lists if one.is_vaulted]
    # What comes out of a vault never goes into a cache.
    key = None if encrypted else _key("structure", lists)
    found = _remembered(key)
    if found is None:
        for path in encrypted:  # or say why none of the passwords opens it
            passwords.decrypt(read_text(path), Location(path))
        found = _ask(inventory, lists, passwords=passwords.known() if encrypted else ())
        _remember(key, found)
    return found


class Evaluation:
    """The values of the templates in an inventory; Ansible is asked when the first one is needed.

    Args:
        inventory: the inventory.
        passwords: for what is encrypted in it.
    """

    def __init__(self, inventory: Inventory, passwords: Passwords) -> None:
        self._inventory = inventory
        self._passwords = passwords

    def value(self, host: str, name: str, written: Any) -> Any:
        """What a template comes to on a host ("" is for all); as it is written where that is not known yet."""
        found = self._answer.get("values", {}).get(host, {})
        return found.get(name, written)

    def problem(self, host: str, name: str) -> str:
        """Why a template has no value before a host is connected to; "" when there is no reason."""
        general = str(self._answer.get("error", ""))
        return str(self._answer.get("problems", {}).get(host, {}).get(name, general))

    @cached_property
    def _answer(self) -> Mapping[str, Any]:
        lists = host_lists(self._inventory, self._passwords)
        variables = [*_variable_files(self._inventory)]
        key = _key("evaluated", lists, variables)
        found = _remembered(key)
        if found is None:
            encrypted = [str(path) for path in variables if is_vaulted(path)]
            try:
                known = self._passwords.known()
                found = _ask(self._inventory, lists, passwords=known, encrypted=encrypted)
            except ToolkitError as error:  # such as a vault that nobody opens
                return {"error": error.what}
            private = found["private"] or any(one.is_vaulted for one in lists)
            _remember(None if private else key, found)
        return found


def _ask(
    inventory: Inventory,
    lists: Sequence[HostList],
    *,
    passwords: Sequence[tuple[str, str]] = (),
    encrypted: Sequence[str] | None = None,
) -> dict[str, Any]:
    """Ask in_ansible.py.

    Args:
        encrypted: files of variables that are; None asks for the structure alone.
    """
    environment = os.environ | {"ANSIBLE_CONFIG": str(ansible_config())}
    question = {
        "sources": [str(source) for source in inventory.all_sources],
        "lists": [str(one.path) for one in lists if not one.is_other],
        "meant": [str(one.path) for one in lists if one.is_meant],
        "vaulted": [str(one.path) for one in lists if one.is_vaulted],
        "programs": [str(one.path) for one in lists if one.is_program],
        "passwords": list(passwords),
        "encrypted": list(encrypted or ()),
        "settings": list(load_specs()),
        "playbooks": str(content_dir() / "playbooks"),
        "evaluate": encrypted is not None,
    }
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cluster.in_ansible"],
        input=json.dumps(question),
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    try:
        answer: dict[str, Any] = json.loads(done.stdout.rpartition("\n")[2])
    except ValueError:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        answer = {"error": lines[-1].strip() if lines else "it gave no reason"}
    if "error" in answer:
        raise ToolkitError(
            f"Ansible cannot read this inventory: {answer['error']}",
            where=str(inventory.sources[0]),
            fix=f"ansible-inventory -i {inventory} --list; what is no host list belongs elsewhere",
        )
    return answer


def _variable_files(inventory: Inventory) -> Iterator[Path]:
    for root in inventory.roots:
        for kind in ("group_vars", "host_vars"):
            yield from (path for path in sorted((root / kind).rglob("*")) if path.is_file())


def _key(question: str, lists: Sequence[HostList], files: Sequence[Path] = ()) -> str | None:
    """Under what an answer is remembered; None for one that may be another the next time."""
    if any(one.is_program for one in lists):
        return None
    found = hashlib.sha256(f"{question} {__version__} {content_dir()}".encode())
    for path in (*(one.path for one in lists), *files):
        try:
            content = path.read_bytes()
        except OSError:
            return None
        if os.access(path, os.X_OK) or any(text in content for text in _CHANGING):
            return None
        found.update(f"\0{path}\0".encode("utf-8", "surrogateescape"))
        found.update(hashlib.sha256(content).digest())
    return found.hexdigest()


def _place(key: str) -> Path:
    return cache_dir() / "inventories" / f"{key}.json"


def _remembered(key: str | None) -> dict[str, Any] | None:
    try:
        found = json.loads(_place(key).read_text(encoding="utf-8")) if key else None
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _remember(key: str | None, answer: Mapping[str, Any]) -> None:
    with suppress(OSError):  # without a cache Ansible is asked each time
        if key:
            write_private(_place(key), json.dumps(answer))
