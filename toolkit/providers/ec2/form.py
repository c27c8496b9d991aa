"""The form of ec2.yml: its keys, what they mean, and what is wrong with their values."""

from __future__ import annotations

import difflib
import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster import tables
from toolkit.cluster.settings import Mistake, check_value
from toolkit.cluster.specs import Setting, setting
from toolkit.providers.ec2.distributions import DISTRIBUTIONS

BASTION = "bastion"
"""The host name of the instance that SSH goes through."""
MANAGED: Mapping[str, str] = {"rds": "metadata_db", "elasticache": "broker"}
"""Section for a server that AWS runs -> the group that it replaces."""


@cache
def options(file: str = "options.yml") -> dict[str, Setting]:
    """The keys of ec2.yml, or with another file those of a part of it."""
    text = (Path(__file__).parent / file).read_text(encoding="utf-8")
    return {name: setting(name, "", spec) for name, spec in yaml.safe_load(text).items()}


Problem = tuple[tuple[str, ...], Mistake]  # the keys that lead there, and what is wrong


def _at(keys: tuple[str, ...], id: str, what: str, fix: str) -> Problem:
    return keys, Mistake(id, what, fix)


def problems(values: Mapping[str, Any]) -> Iterator[Problem]:
    """What is wrong with the values of an ec2.yml."""
    yield from _keys(options(), values, ())
    sets = values.get("instances")
    if isinstance(sets, dict):
        yield from _sets(sets)
    for section in MANAGED:
        if isinstance(values.get(section), dict):
            yield from _keys(options(f"{section}.yml"), values[section], (section,), section)
    yield from _together(values)


def _keys(
    specs: Mapping[str, Setting], values: Mapping[str, Any], above: tuple[str, ...], part: str = ""
) -> Iterator[Problem]:
    """What is wrong with some keys; `part` distinguishes those that mean something else there."""
    for key, value in values.items():
        if key not in specs:
            near = difflib.get_close_matches(str(key), specs, 1, 0.6)
            fix = f"rename it to {near[0]}" if near else "use one of: " + ", ".join(specs)
            yield _at((*above, str(key)), "settings.unknown", f"there is no key {key}", fix)
            continue
        if "{{" in str(value):
            yield _at(
                (*above, key),
                "settings.value",
                f"{key}: ec2.yml is no template",
                "write the value itself",
            )
        known = f"{part}.{key}" if f"{part}.{key}" in _MEANINGS else key
        found = list(check_value(specs[key], value)) or list(meaning(known, value))
        yield from (((*above, key), wrong) for wrong in found)
    for key, spec in specs.items():
        if spec.required and key not in values:
            yield _at(above, "settings.missing", f"{key} is missing", f"add {key}: {spec.summary}")


def _sets(sets: Mapping[str, Any]) -> Iterator[Problem]:
    if not sets:
        yield _at(
            ("instances",),
            "settings.value",
            "there are no instances",
            "see toolkit init --sample ec2",
        )
    for name, one in sets.items():
        where = ("instances", str(name))
        if not re.fullmatch(r"[a-z]([a-z0-9-]*[a-z])?", str(name)):
            yield _at(
                where,
                "settings.value",
                f"{name!r} cannot name hosts",
                "use lower-case letters and hyphens; numbers are added",
            )
        elif name in MANAGED:
            yield _at(
                where,
                "settings.value",
                f"{name} names a server that AWS runs",
                "give the set another name",
            )
        elif not isinstance(one, dict):
            yield _at(
                where,
                "settings.type",
                f"{name} has to consist of groups: and type:",
                f"write {name}: {{groups: [worker], type: t3.medium}}",
            )
        else:
            yield from _keys(options("instances.yml"), one, where)


def _together(values: Mapping[str, Any]) -> Iterator[Problem]:
    """Keys that make no sense together."""
    image, address = values.get("image", ""), values.get("address")
    named = image in DISTRIBUTIONS or not image
    if not named and not image.startswith("ami-") and not values.get("image_owner"):
        yield _at(("image",), "settings.choice", f"there is no image {image}", _IMAGE_FIX)
    if not named and not values.get("login_user"):
        yield _at(
            ("image",),
            "settings.missing",
            "login_user is missing: which user an AMI of your own has is not known",
            "add login_user: ubuntu",
        )
    if values.get("key_pair") and not values.get("key_file"):
        yield _at(
            ("key_pair",),
            "settings.missing",
            "key_file is missing: the private key of that key pair",
            "add key_file: ~/.ssh/KEY",
        )
    if BASTION in (values.get("instances") or {}):
        yield _at(
            ("instances", BASTION),
            "settings.value",
            "bastion cannot name a set of instances",
            "write bastion: t3.nano outside of instances",
        )
    for other, value in (("address", address), ("ssh_proxy", values.get("ssh_proxy"))):
        if values.get("bastion") and value not in (None, "", "private"):
            yield _at(
                ("bastion",),
                "settings.value",
                f"bastion does not go together with {other}: {value}",
                f"remove {other}, or bastion",
            )
    for name, one in (values.get("instances") or {}).items():
        if isinstance(one, dict) and one.get("spot") is True and one.get("groups") != ["worker"]:
            yield _at(
                ("instances", str(name), "spot"),
                "settings.value",
                f"{name}: spot is for workers, and this set has groups {_listed(one)}",
                "remove spot, or make a set of its own for the workers",
            )
    for section, group in MANAGED.items():
        if values.get(section) is not None:
            yield from _in_place_of(section, group, values)
    inside = address == "private" and not values.get("bastion")
    if (inside or values.get("ssh_proxy")) and not values.get("access"):
        yield _at(
            ("address",),
            "settings.missing",
            "access is missing: SSH does not come from your address on the internet here",
            "add access: [10.0.0.0/16]",
        )


def _in_place_of(section: str, group: str, values: Mapping[str, Any]) -> Iterator[Problem]:
    """A server that AWS runs: nothing else is in its place, and there is somebody to use it."""
    sets = {str(name): one for name, one in (values.get("instances") or {}).items()
            if isinstance(one, dict) and isinstance(one.get("groups"), list)}  # fmt: skip
    for name, one in sets.items():
        if group in one["groups"]:
            fix = f"remove the group, or the section {section}"
            what = f"{name} has group {group}, and {section} is in its place"
            yield _at(("instances", name, "groups"), "settings.value", what, fix)
    if group == "broker" and not any("worker" in one["groups"] for one in sets.values()):
        yield _at(
            (section,),
            "settings.value",
            f"{section} is for workers, and there are none",
            f"remove {section}, or add a set with group worker",
        )


def _listed(one: Mapping[str, Any]) -> str:
    return ", ".join(map(str, one.get("groups") or ["none"]))


_IMAGE_FIX = f"use one of {', '.join(DISTRIBUTIONS)}, an AMI's id, or add image_owner"


def _pattern(pattern: str, kind: str) -> Callable[[Any], str | None]:
    return lambda value: (
        None if not value or re.fullmatch(pattern, str(value)) else f"{value!r} is not {kind}"
    )


def _each(problem_of: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    return lambda values: next((found for value in values if (found := problem_of(value))), None)


def _network(value: Any) -> str | None:
    try:
        ipaddress.ip_network(value)
    except ValueError as error:
        return str(error)
    return None


def _group(value: Any) -> str | None:
    return None if value in tables.groups() else f"there is no group {value}"


def _tags(value: Mapping[Any, Any]) -> str | None:
    wrong = [
        key for key, text in value.items()
        if str(key).startswith(("aws:", "toolkit-")) or str(key) == "Name"
        or isinstance(text, dict | list) or len(str(key)) > 128 or len(str(text)) > 256
    ]  # fmt: skip
    return f"tag {wrong[0]} cannot be set" if wrong else None


_TYPE = _pattern(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "an instance type")
_Meaning = tuple[Callable[[Any], str | None], str]
_MEANINGS: Mapping[str, _Meaning] = {
    "name": (_pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", "a name"),
             "use letters, digits, hyphens, dots and underscores"),
    # In names at AWS: 40 characters with toolkit- before it, and no two hyphens in a row.
    "managed.name": (_pattern(r"(?=.{1,32}$)[a-z0-9]+(-[a-z0-9]+)*",
                              "a name for a server that AWS runs"),
                     "use lower-case letters, digits and single hyphens, 32 at most"),
    "region": (_pattern(r"[a-z]{2}(-[a-z]+)+-\d", "a region"), "for example eu-central-1"),
    "vpc": (_pattern(r"vpc-[0-9a-f]{8,17}", "the id of a VPC"), "aws ec2 describe-vpcs lists them"),
    "subnets": (_each(_pattern(r"subnet-[0-9a-f]{8,17}", "the id of a subnet")),
                "aws ec2 describe-subnets lists them"),
    "access": (_each(_network), "write networks like 203.0.113.7/32 or 10.0.0.0/16"),
    "web_access": (_each(_network), "write networks like 203.0.113.7/32 or 10.0.0.0/16"),
    "ssh_proxy": (_pattern(r"(\w[\w.-]*@)?\w[\w.-]*(:\d+)?", "a host to go through"),
                  "write it like admin@bastion.example.com"),
    "volume_gb": (lambda value: None if 8 <= value <= 16384 else f"{value} GB cannot be had",
                  "use 8 to 16384"),
    "groups": (_each(_group), "use one of: " + ", ".join(tables.groups())),
    "type": (_TYPE, "for example t3.medium"),
    "bastion": (_TYPE, "for example t3.nano"),
    "rds.type": (_pattern(r"db\.[a-z0-9-]+\.[a-z0-9-]+", "an instance class of RDS"),
                 "for example db.t4g.medium"),
    "rds.engine_version": (_pattern(r"\d+(\.\d+)*", "a version"), 'for example "17"'),
    "storage_gb": (lambda value: None if 20 <= value <= 65536 else f"{value} GB cannot be had",
                   "use 20 to 65536"),
    "backup_days": (lambda value: None if 0 <= value <= 35 else f"{value} days are not possible",
                    "use 0 to 35"),
    "elasticache.type": (_pattern(r"cache\.[a-z0-9-]+\.[a-z0-9-]+", "a node type of ElastiCache"),
                         "for example cache.t4g.small"),
    "elasticache.engine_version": (_pattern(r"([7-9]|\d\d+)\.\d+", "a version from 7.0 on"),
                                   'for example "8.0"'),
    "count": (lambda value: None if 0 <= value <= 100 else f"{value} instances are not possible",
              "use 0 to 100"),
    "tags": (_tags, "use short texts; Name and names that begin with aws: or toolkit- are taken"),
}  # fmt: skip


def meaning(key: str, value: Any) -> Iterator[Mistake]:
    """What is wrong with the meaning of a value whose type is right."""
    problem_of, fix = _MEANINGS.get(key, (lambda _: None, ""))
    problem = problem_of(value)
    if problem:
        yield Mistake("settings.value", f"{key}: {problem}", fix)
