"""YAML with line numbers: what a user wrote, and where, so that an error can point at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

from toolkit.cluster.vaultfile import VAULT_HEADER
from toolkit.errors import Location, ToolkitError


class VaultedValue(str):
    """A single value encrypted with `!vault`, as it is written."""


class UnsafeText(str):
    """A text marked `!unsafe`: never a template, whatever it looks like."""


def is_template(value: Any) -> bool:
    """Whether only Ansible can say what a value is, or a part of it."""
    if isinstance(value, str):
        return ("{{" in value or "{%" in value or "{#" in value) and not isinstance(
            value, UnsafeText
        )
    return any(map(is_template, _parts(value)))


def has_vaulted(value: Any) -> bool:
    """Whether a value, or a part of it, is encrypted."""
    return isinstance(value, VaultedValue) or any(map(has_vaulted, _parts(value)))


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list) else ()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, plus the two tags that Ansible adds."""


_Loader.add_constructor("!vault", lambda _loader, node: VaultedValue(node.value))
_Loader.add_constructor("!vault-encrypted", lambda _loader, node: VaultedValue(node.value))
_Loader.add_constructor("!unsafe", lambda loader, node: _unsafe(loader, node))


def _unsafe(loader: Any, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return UnsafeText(node.value)
    node.tag = loader.resolve(type(node), None, (True, False))
    return marked(loader.construct_object(node, deep=True))


def marked(value: Any) -> Any:
    """A value all of whose texts are no templates."""
    if isinstance(value, str):
        return UnsafeText(value)
    if isinstance(value, dict):
        return {marked(key): marked(part) for key, part in value.items()}
    return [marked(part) for part in value] if isinstance(value, list) else value


def is_vaulted(path: Path) -> bool:
    """Whether the whole file is encrypted with ansible-vault."""
    with path.open(encoding="utf-8", errors="replace") as file:
        return file.read(len(VAULT_HEADER)) == VAULT_HEADER


def read_mapping(path: Path) -> dict[str, tuple[Any, Location]]:
    """The file's top-level keys with their values and places; {} for an empty file.

    Raises:
        ToolkitError: not YAML, not a mapping, or it has a key twice.
    """
    return parse_mapping(path.read_text(encoding="utf-8"), path)


def locations(path: Path) -> dict[tuple[str, ...], Location]:
    """The place of every key of the file's nested mappings, by the keys that lead to it."""
    found: dict[tuple[str, ...], Location] = {}

    def visit(node: yaml.Node | None, above: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = (*above, str(key.value))
                found[name] = Location(path, key.start_mark.line + 1)
                visit(value, name)

    visit(yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader), ())
    return found


def parse_mapping(text: str, path: Path) -> dict[str, tuple[Any, Location]]:
    """As read_mapping, for a text that was read (or decrypted) already."""
    found: dict[str, tuple[Any, Location]] = {}
    for key, value, location in _entries(text, path):
        if key in found:
            raise ToolkitError(
                f"{key} is set twice in one file (first on line {found[key][1].line}); "
                "Ansible would silently take the last one",
                where=location,
                fix=f"remove one of the two lines from {path}",
            )
        found[key] = (value, location)
    return found


def _entries(text: str, path: Path) -> Iterator[tuple[str, Any, Location]]:
    loader = _Loader(text)
    try:
        root = loader.get_single_node()
        if root is None or root.tag == "tag:yaml.org,2002:null":
            return
        if not isinstance(root, yaml.MappingNode):
            raise ToolkitError(
                "expected `name: value` lines, found something else",
                where=Location(path, root.start_mark.line + 1),
                fix=f"see the sample: toolkit init DIR --sample single, then compare {path.name}",
            )
        for key_node, value_node in root.value:
            location = Location(path, key_node.start_mark.line + 1)
            key = loader.construct_object(key_node, deep=True)
            yield str(key), loader.construct_object(value_node, deep=True), location
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        raise ToolkitError(
            f"this is not valid YAML: {problem}",
            where=Location(path, mark.line + 1 if mark else 0),
            fix="check the indentation, quotes and colons on that line",
        ) from None
    except ValueError as error:  # e.g. 2024-13-01, which YAML takes for a date
        raise ToolkitError(
            f"a value cannot be read: {error}", where=str(path), fix="put it in quotes"
        ) from None
    finally:
        loader.dispose()
