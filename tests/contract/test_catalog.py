"""Rules and the catalog of findings agree."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
import yaml
from click.testing import CliRunner

from toolkit.commands.check import command
from toolkit.findings import Severity, entries, topics
from toolkit.hosts.problem import Kind
from toolkit.providers.ec2.errors import answers

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "toolkit"
SOURCES = [
    path for path in PACKAGE.rglob("*.py") if "onhost" not in path.relative_to(PACKAGE).parts
]
NAMES = {"error": Severity.ERROR, "warning": Severity.WARNING, "note": Severity.NOTE}
EXAMINE = (REPOSITORY / "roles/airflow/files/examine_database.py").read_text()
COMPOSED = {
    **{id: set() for id in re.findall(r'"((?:database|versions)\.[a-z_]+)"', EXAMINE)},
    **{f"access.{kind}": {Severity.ERROR} for kind in get_args(Kind)},
    **{f"services.{problem}": {Severity.ERROR} for problem in ("url", "login", "silent")},
    **{answer.id: {Severity.ERROR} for answer in answers().values()},
}
"""Ids that code puts together, or reads from data."""
ID = re.compile(rf"({'|'.join(topic.name for topic in topics())})\.(?!yml$|py$)[a-z_]+")


def ids_in(path: Path) -> dict[str, set[Severity]]:
    """Every id that a file has as text, with the severities that a call there can give it."""
    found: defaultdict[str, set[Severity]] = defaultdict(set)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found[node.value] |= set()
        if isinstance(node, ast.Call) and node.args:
            severity = NAMES.get(getattr(node.func, "id", ""))
            for part in ast.walk(node.args[0]):
                if severity and isinstance(part, ast.Constant):
                    found[part.value] |= {severity}
    return {id: severities for id, severities in found.items() if ID.fullmatch(str(id))}


@cache
def emitted() -> dict[str, set[Severity]]:
    """Every id in the package's code."""
    found: defaultdict[str, set[Severity]] = defaultdict(set, COMPOSED)
    for path in SOURCES:
        for id, severities in ids_in(path).items():
            found[id] = found[id] | severities
    return found


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


RULES = [path for path in PACKAGE.glob("checks/*.py") if ids_in(path)]
OTHER_TOPIC = {"remote_logs": "running"}
"""A file of rules whose findings are a part of another topic."""


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_a_file_of_rules_has_its_catalog_beside_it(path: Path) -> None:
    topic = OTHER_TOPIC.get(path.stem, path.stem)
    assert {id.partition(".")[0] for id in ids_in(path)} == {topic}
    room = "hosts" if topic == "access" else "checks"  # where HostProblem is
    assert (PACKAGE / room / f"{topic}.findings.yml").exists()


def test_every_story_led_to_a_finding() -> None:
    stories = yaml.safe_load((REPOSITORY / "toolkit/checks/stories.yml").read_text())
    assert set(stories) == {number for entry in entries().values() for number in entry.stories}


def test_an_unknown_finding_names_the_nearest() -> None:
    done = CliRunner().invoke(command, ["--explain", "port.taken"])
    assert "did you mean ports.taken?" in str(done.exception)
