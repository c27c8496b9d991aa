"""Host keys of instances: learned from the console where AWS shows it, and dropped with them.

A line of known_hosts ends in the id of the instance that it is about. An address that another
instance has got since is thus distinguished from a host whose key has changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from toolkit.providers.ec2.account import Account

_BLOCK = re.compile(
    r"-----BEGIN SSH HOST KEY KEYS-----(.*?)-----END SSH HOST KEY KEYS-----", re.DOTALL
)
_KEY = re.compile(r"\b((?:ssh|ecdsa)-[a-z0-9-]+ AAAA[A-Za-z0-9+/=]+)")


def current(text: str, members: Mapping[str, str]) -> str:
    """known_hosts without the lines of instances that are gone.

    Args:
        members: address -> id of the cluster's instances.
    """
    ids = set(members.values())

    def stays(line: str) -> bool:
        address, owner = _address(line), _owner(line)
        return owner == members[address] if address in members else not owner or owner in ids

    return _text(line for line in text.splitlines() if stays(line))


def claimed(text: str, members: Mapping[str, str]) -> str:
    """known_hosts with the lines that were accepted on first use marked as those instances'."""

    def marked(line: str) -> str:
        owner = members.get(_address(line))
        return f"{line} {owner}" if owner and not _owner(line) else line

    return _text(map(marked, text.splitlines()))


def unknown(text: str, members: Mapping[str, str]) -> dict[str, str]:
    """The members (address -> id) that have no line of their own yet."""
    known = {(_address(line), _owner(line)) for line in text.splitlines()}
    return {address: owner for address, owner in members.items() if (address, owner) not in known}


def from_console(account: Account, address: str, instance: str) -> list[str]:
    """Lines of known_hosts for an instance, from what cloud-init wrote to its console; or none."""
    from botocore.exceptions import ClientError

    read = account.ec2.get_console_output
    try:
        output = read(InstanceId=instance, Latest=True)
    except ClientError:  # only instance types on Nitro have the latest output
        output = read(InstanceId=instance)
    return [f"{address} {key} {instance}" for key in console_keys(output)]


def console_keys(answer: Mapping[str, Any]) -> list[str]:
    """The host keys ("type base64") in an answer of GetConsoleOutput."""
    block = _BLOCK.search(str(answer.get("Output", "")))
    return list(dict.fromkeys(_KEY.findall(block[1]))) if block else []


def _address(line: str) -> str:
    return line.split(" ", 1)[0]


def _owner(line: str) -> str:
    """The instance id at the end of a line of ours."""
    last = line.rsplit(" ", 1)[-1]
    return last if re.fullmatch(r"i-[0-9a-f]+", last) else ""


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
