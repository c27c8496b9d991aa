"""The rules find themselves, and what they find comes in a fixed order."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from toolkit import checks
from toolkit.checks.common import HOST_RULES
from toolkit.findings import Finding, in_order, topics


def public_rules(parameter: str) -> Iterator[str]:
    """Functions of every module in toolkit/checks that yield findings from this parameter."""
    for module in pkgutil.iter_modules(checks.__path__, f"{checks.__name__}."):
        for name, function in inspect.getmembers(
            importlib.import_module(module.name), inspect.isfunction
        ):
            about = inspect.signature(function)
            if (
                function.__module__ == module.name
                and about.return_annotation == "Iterator[Finding]"
                and [*about.parameters][1:] == [parameter]
                and not name.startswith("_")
            ):
                yield f"{module.name}.{name}"


def test_every_rule_over_hosts_is_registered_once() -> None:
    registered = [f"{rule.__module__}.{rule.__name__}" for rule in HOST_RULES]
    assert sorted(registered) == sorted(public_rules("probe"))


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
