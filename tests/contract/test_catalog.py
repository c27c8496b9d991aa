"""Rules and the catalog of findings agree."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner

from toolkit.commands.check import command
from toolkit.findings import Severity, entries, topics
from toolkit.hosts.problem import Kind

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCES = [*REPOSITORY.glob("toolkit/checks/*.py"), REPOSITORY / "toolkit/cluster/settings.py"]
NAMES = {"error": Severity.ERROR, "warning": Severity.WARNING, "note": Severity.NOTE}
COMPOSED = {
    **{f"access.{kind}": {Severity.ERROR} for kind in get_args(Kind)},
    **{f"services.{problem}": {Severity.ERROR} for problem in ("url", "login", "silent")},
}
"""Ids that a rule puts together."""


def emitted() -> dict[str, set[Severity]]:
    """Every id that stands in a rule, with the severities that its call can give it."""
    found: defaultdict[str, set[Severity]] = defaultdict(set)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found[node.value] |= set()
            if isinstance(node, ast.Call) and node.args:
                severity = NAMES.get(getattr(node.func, "id", ""))
                for part in ast.walk(node.args[0]):
                    if severity and isinstance(part, ast.Constant):
                        found[part.value] |= {severity}
    known = {topic.name for topic in topics()}
    ids = {id: s for id, s in found.items() if re.fullmatch(r"[a-z]+\.[a-z_]+", id)}
    ids = {id: s for id, s in ids.items() if id.partition(".")[0] in known}
    return {**ids, **COMPOSED}


def test_every_finding_is_in_the_catalog_and_the_other_way_round() -> None:
    assert sorted(emitted()) == sorted(entries())


@pytest.mark.parametrize("id", entries())
def test_severities_are_those_of_the_rule(id: str) -> None:
    found = emitted()[id]
    assert found <= set(entries()[id].severities)


@pytest.mark.parametrize("id", entries())
def test_every_finding_is_explained(id: str) -> None:
    done = CliRunner().invoke(command, ["--explain", id], standalone_mode=False)
    assert done.exit_code == 0
    entry = entries()[id]
    for text in (id, entry.title, entry.why, entry.fix, *entry.stories):
        assert text in done.output
    assert not entry.title.endswith(".")


def test_every_story_led_to_a_finding() -> None:
    stories = yaml.safe_load((REPOSITORY / "toolkit/checks/stories.yml").read_text())
    assert set(stories) == {number for entry in entries().values() for number in entry.stories}


def test_an_unknown_finding_names_the_nearest() -> None:
    done = CliRunner().invoke(command, ["--explain", "port.taken"])
    assert "did you mean ports.taken?" in str(done.exception)
