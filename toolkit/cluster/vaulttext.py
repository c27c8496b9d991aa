"""Edits of the text of a file of variables: what is not changed stays as its author wrote it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import yaml

Render = Callable[[str, Any], str]
"""Name and value as the lines of a file, without indentation, with a line break at the end."""


def plain(name: str, value: Any) -> str:
    """A variable as YAML."""
    return str(yaml.safe_dump({name: value}, default_flow_style=False, allow_unicode=True))


def inline(encrypt: Callable[[str], str]) -> Render:
    """How a variable is written whose value alone is encrypted."""

    def rendered(name: str, value: Any) -> str:
        lines = encrypt(str(value)).strip().splitlines()
        return f"{name}: !vault |\n" + "".join(f"  {line}\n" for line in lines)

    return rendered


def edited(
    text: str, changes: Mapping[str, Any], render: Render, below: tuple[str, ...] = ()
) -> str:
    """The text with variables set, or removed where the value is None.

    Args:
        text: YAML that was read before, so that it is known to be a mapping, or empty.
        changes: name -> value.
        render: how a variable is written.
        below: the keys under which the variables are; the last ones of the text.
    """
    node = _mapping(text, below)
    wanted = {name: value for name, value in changes.items() if value is not None}
    if node is not None and node.flow_style:  # such as JSON, which knows neither lines nor comments
        kept = {name: value for name, value in yaml.safe_load(text).items() if name not in changes}
        return "".join(plain(name, value) for name, value in {**kept, **wanted}.items())
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    for first, last in reversed(_spans(node, changes, len(lines))):
        del lines[first:last]
    indent = "  " * len(below)
    new = [f"{indent}{line}\n" for item in wanted.items() for line in render(*item).splitlines()]
    # An end mark would hide what comes after it.
    ended = [number for number, line in enumerate(lines) if line.rstrip() == "..."]
    place = ended[0] if ended else len(lines)
    return "".join([*lines[:place], *new, *lines[place:]])


def _mapping(text: str, below: tuple[str, ...]) -> yaml.MappingNode | None:
    node = yaml.compose(text, Loader=yaml.SafeLoader)
    for key in below:
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for name, value in pairs if name.value == key), None)
    return node if isinstance(node, yaml.MappingNode) else None


def _spans(
    node: yaml.MappingNode | None, names: Mapping[str, Any], end: int
) -> list[tuple[int, int]]:
    """First line of each named entry, and the line after its last one; comments between are kept."""
    if node is None:
        return []
    found = []
    for key, value in node.value:
        if key.value in names:
            mark = value.end_mark
            last = min(mark.line + (1 if mark.column else 0), end)
            found.append((key.start_mark.line, max(last, key.start_mark.line + 1)))
    return found
