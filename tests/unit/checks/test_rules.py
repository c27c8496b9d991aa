"""The rules find themselves, and what they find comes in a fixed order."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from toolkit import checks
from toolkit.checks.common import HOST_RULES, PLAN_RULES
from toolkit.findings import Finding, in_order, topics


def public_rules(*parameters: str) -> list[str]:
    """Functions of every module in toolkit/checks that yield findings from these parameters."""
    return [
        f"{module.name}.{name}"
        for module in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}.")
        for name, function in inspect.getmembers(import_module(module.name), inspect.isfunction)
        if function.__module__ == module.name
        and function.__annotations__.get("return") == "Iterator[Finding]"
        and len(inspect.signature(function).parameters) == len(parameters)
        and [*inspect.signature(function).parameters][1:] == [*parameters][1:]
        and not name.startswith("_")
    ]


def names(rules: Iterable[Callable[..., Any]]) -> list[str]:
    return sorted(f"{rule.__module__}.{rule.__name__}" for rule in rules)


def test_every_rule_is_registered_once() -> None:
    assert names(HOST_RULES) == sorted(public_rules("cluster", "probe"))
    assert names(PLAN_RULES) == sorted(public_rules("cluster"))


def test_findings_come_by_topic_and_stay_in_order_within_one() -> None:
    found = [
        Finding.of(id, host=host, what="", fix="")
        for host in ("b", "a")
        for id in ("drift.mode", "access.auth", "capacity.disk")
    ]
    ordered = [(finding.id, finding.host) for finding in in_order(found)]
    assert ordered == [
        (id, host) for id in ("access.auth", "capacity.disk", "drift.mode") for host in ("b", "a")
    ]


def test_every_topic_has_a_place_of_its_own() -> None:
    assert len({topic.order for topic in topics()}) == len(topics())
    assert topics()[0].name == "access"
