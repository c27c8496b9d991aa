"""Which variables the roles, playbooks and the toolkit use: read from Jinja, YAML and Python, not from text."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Environment, nodes

REPOSITORY = Path(__file__).resolve().parents[2]
EXPRESSIONS = {"when", "that", "until", "changed_when", "failed_when", "var"}
"""Keys whose value Ansible reads as an expression without braces."""
NAMED = {"driver_setting", "enabled_by"}
"""Keys of a table whose value is the name of a setting."""
_JINJA = Environment(extensions=["jinja2.ext.do"])
_PROGRAMS = ("toolkit/**/*.py", "roles/*/filter_plugins/*.py", "roles/*/library/*.py")


def in_jinja(text: str) -> set[str]:
    """Variables, attributes and quoted keys of a template: `a`, `host.a` and `host['a']` use a."""
    tree = _JINJA.parse(text)
    return (
        {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
        | {name.attr for name in tree.find_all(nodes.Getattr)}
        | {name.value for name in tree.find_all(nodes.Const) if isinstance(name.value, str)}
    )


def in_yaml(content: Any, key: str = "") -> set[str]:
    """Variables in the values of tasks, of variables or of a playbook; keys are no uses."""
    if isinstance(content, dict):
        return set().union(*(in_yaml(value, name) for name, value in content.items()))
    if isinstance(content, list):
        return set().union(*(in_yaml(value, key) for value in content))
    if not isinstance(content, str):
        return set()
    if key in NAMED:
        return {content}
    template = "{{" in content or "{%" in content
    return in_jinja(content if template or key not in EXPRESSIONS else f"{{{{ ({content}) }}}}")


def in_python(path: Path) -> set[str]:
    """The strings and attributes of a program; a name in a sentence or a comment is no use."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.attr if isinstance(node, ast.Attribute) else str(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Constant)
    }


def _used() -> Iterator[set[str]]:
    for pattern in ("roles/*/templates/*.j2", "templates/*.j2"):
        for path in REPOSITORY.glob(pattern):
            yield in_jinja(path.read_text(encoding="utf-8"))
    folders = ("tasks", "handlers", "vars", "platforms", "files")
    for pattern in (
        *(f"roles/*/{name}/*.yml" for name in folders),
        "roles/*/*.yml",
        "playbooks/*.yml",
    ):
        for path in REPOSITORY.glob(pattern):
            yield in_yaml(yaml.safe_load(path.read_text(encoding="utf-8")))
    for pattern in _PROGRAMS:
        for path in REPOSITORY.glob(pattern):
            yield in_python(path)


@cache
def used() -> frozenset[str]:
    """Every name that something in the repository uses."""
    return frozenset().union(*_used())
