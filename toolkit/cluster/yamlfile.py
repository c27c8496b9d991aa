"""YAML with line numbers: what a user wrote, and where, so that an error can point at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from toolkit.errors import Location, ToolkitError

VAULT_HEADER = "$ANSIBLE_VAULT;"
DEEPEST = 100
"""Levels of nesting; whatever walks through a value does so by recursion."""
MOST_VALUES = 1_000_000
"""That aliases may stand for; a page of them can mean more than any memory holds."""
_MERGE = "tag:yaml.org,2002:merge"


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
    return any(map(is_template, _inner(value)))


def has_vaulted(value: Any) -> bool:
    """Whether a value, or a part of it, is encrypted."""
    return isinstance(value, VaultedValue) or any(map(has_vaulted, _inner(value)))


def _inner(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value.keys(), *value.values())
    return value if isinstance(value, list) else ()


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The safe loader, plus the two tags that Ansible adds; it refuses what is nested too deep.

    The loader in C calls itself for each level, until the process has no stack left.
    """

    _depth = 0

    def descend_resolver(self, parent: yaml.Node | None, index: Any) -> None:
        """One level down (called by the composer)."""
        self._depth += 1
        if self._depth > DEEPEST:
            line = parent.start_mark.line + 1 if parent else 0
            raise _TooDeepError(line)
        super().descend_resolver(parent, index)

    def ascend_resolver(self) -> None:
        """One level up (called by the composer)."""
        self._depth -= 1
        super().ascend_resolver()


class _TooDeepError(Exception):
    """Nested more than DEEPEST levels; its argument is the line."""


_Loader.add_constructor("!vault", lambda loader, node: VaultedValue(loader.construct_scalar(node)))
_Loader.add_constructor(
    "!vault-encrypted", lambda loader, node: VaultedValue(loader.construct_scalar(node))
)
_Loader.add_constructor("!unsafe", lambda loader, node: _unsafe(loader, node))


def _unsafe(loader: Any, node: yaml.Node) -> Any:
    # As Ansible: what is in quotes is read as if it were not.
    value = node.value if isinstance(node, yaml.ScalarNode) else None
    tag = loader.resolve(type(node), value, (True, False))
    same = type(node)(tag, node.value, node.start_mark, node.end_mark)
    return marked(loader.construct_object(same, deep=True))


def marked(value: Any) -> Any:
    """A value all of whose texts are no templates."""
    if isinstance(value, str):
        return UnsafeText(value)
    if isinstance(value, dict):
        return {marked(key): marked(part) for key, part in value.items()}
    return [marked(part) for part in value] if isinstance(value, list) else value


def _int(loader: Any, node: yaml.Node) -> int:
    value: int = loader.construct_yaml_int(node)
    str(value)  # Python refuses to print what has thousands of digits
    return value


_Loader.add_constructor("tag:yaml.org,2002:int", _int)


def is_vaulted(path: Path) -> bool:
    """Whether the whole file is encrypted with ansible-vault.

    Raises:
        ToolkitError: it cannot be read.
    """
    return read_bytes(path, len(VAULT_HEADER)) == VAULT_HEADER.encode()


def read_bytes(path: Path, most: int = -1) -> bytes:
    """The content of a file that the user wrote, or as many bytes of it.

    Raises:
        ToolkitError: it is no file, or cannot be read.
    """
    try:
        if path.exists() and not path.is_file():  # a pipe would be waited for
            raise ToolkitError("this is no file", where=str(path), fix=f"ls -ld {path}")
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise ToolkitError(
            f"it cannot be read: {error.strerror}", where=str(path), fix=f"ls -l {path}"
        ) from None


def read_text(path: Path) -> str:
    """The text of a file that the user wrote.

    Raises:
        ToolkitError: it cannot be read, or is not UTF-8.
    """
    return decoded(read_bytes(path), path)


def decoded(content: bytes, path: Path) -> str:
    """The text of a file that was read (or decrypted) already; a byte order mark may lead it.

    Raises:
        ToolkitError: it is not UTF-8; says in which line, and shows nothing of it.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
        binary = b"\0" in content and not wide
        form = "UTF-16" if wide else "ISO-8859-1"
        raise ToolkitError(
            "this is binary data, not text in UTF-8"
            if binary
            else f"this is not text in UTF-8 (byte {content[error.start]:#04x})",
            where=Location(path, 0 if binary or wide else line),
            fix="put the right file there"
            if binary
            else f"iconv -f {form} -t UTF-8 {path} > {path}.new && mv {path}.new {path}",
        ) from None


def read_mapping(path: Path) -> dict[str, tuple[Any, Location]]:
    """The file's top-level keys with their values and places; {} for an empty file.

    Raises:
        ToolkitError: not YAML, not a mapping, or it has a key twice.
    """
    return parse_mapping(read_text(path), path)


def locations(path: Path) -> dict[tuple[str, ...], Location]:
    """The place of every key of the file's nested mappings, by the keys that lead to it."""
    found: dict[tuple[str, ...], Location] = {}

    def visit(node: yaml.Node | None, above: tuple[str, ...]) -> None:
        if isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                name = (*above, str(key.value))
                found[name] = Location(path, key.start_mark.line + 1)
                visit(value, name)

    visit(yaml.compose(read_text(path), Loader=yaml.SafeLoader), ())
    return found


def parse_mapping(text: str, path: Path) -> dict[str, tuple[Any, Location]]:
    """As read_mapping, for a text that was read (or decrypted) already."""
    found: dict[str, tuple[Any, Location]] = {}
    for key, value, location in _entries(text, path):
        if key in found:
            raise _twice(key, found[key][1].line, location)
        found[key] = (value, location)
    return found


def parse_value(text: str, where: str) -> Any:
    """One value in YAML, for example from a command line.

    Args:
        where: what it is, for messages.

    Raises:
        ToolkitError: it is not YAML, or a value of it cannot be read.
    """
    place = Location(Path(where))
    with _loading(text, place) as (loader, root):
        return None if root is None else _value(loader, root, place)


def _entries(text: str, path: Path) -> Iterator[tuple[str, Any, Location]]:
    with _loading(text, Location(path)) as (loader, root):
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
            key = _value(loader, key_node, location)
            yield str(key), _value(loader, value_node, location), location


@contextmanager
def _loading(text: str, place: Location) -> Iterator[tuple[Any, yaml.Node | None]]:
    """A loader and the root of what it read; what it raises becomes an error with its line."""
    try:
        loader = _Loader(text)
    except yaml.reader.ReaderError as error:
        raise _invalid(error, place) from None
    try:
        root = loader.get_single_node()
        if root is not None:
            _refuse_boundless(root, place, {}, 0)
            _refuse_twice(root, place)
        yield loader, root
    except (yaml.MarkedYAMLError, yaml.reader.ReaderError) as error:
        raise _invalid(error, place) from None
    except _TooDeepError as error:
        raise _too_deep(replace(place, line=error.args[0])) from None
    finally:
        loader.dispose()


def _invalid(error: yaml.YAMLError, place: Location) -> ToolkitError:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return ToolkitError(
        f"this is not valid YAML: {problem}",
        where=replace(place, line=mark.line + 1 if mark else 0),
        fix="check the indentation, quotes and colons on that line",
    )


def _value(loader: Any, node: yaml.Node, place: Location) -> Any:
    try:
        return loader.construct_object(node, deep=True)
    except yaml.YAMLError:
        raise
    # PyYAML trusts that a tag fits, and that text which looks like a number or date is one: 2024-13-01.
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError):
        # Without the value: it may be in a vault.
        raise ToolkitError(
            "a value cannot be read as the number or date that it looks like",
            where=place,
            fix="put it in quotes",
        ) from None


def _too_deep(place: Location) -> ToolkitError:
    return ToolkitError(
        f"this is nested more than {DEEPEST} levels deep", where=place, fix="remove the nesting"
    )


def _refuse_boundless(
    node: yaml.Node, place: Location, known: dict[int, tuple[int, int]], depth: int
) -> tuple[int, int]:
    """Refuse what is nested without end, or grows without end by aliases of aliases.

    Returns:
        How many values there are in a node, and on how many levels.
    """
    if id(node) not in known:
        parts = _parts(node) if depth <= DEEPEST else ()  # it may be below itself
        below = [_refuse_boundless(part, place, known, depth + 1) for part in parts]
        known[id(node)] = (
            1 + sum(size for size, _ in below),
            1 + max((levels for _, levels in below), default=0),
        )
    size, levels = known[id(node)]
    if depth + levels > DEEPEST:
        raise _too_deep(replace(place, line=node.start_mark.line + 1))
    if size > MOST_VALUES:
        raise ToolkitError(
            f"its aliases stand for more than {MOST_VALUES} values",
            where=replace(place, line=node.start_mark.line + 1),
            fix="write out what is meant, without aliases of aliases",
        )
    return size, levels


def _parts(node: yaml.Node) -> Iterable[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return (part for pair in node.value for part in pair)
    return node.value if isinstance(node, yaml.SequenceNode) else ()


def _refuse_twice(root: yaml.Node, place: Location) -> None:
    """Refuse a key that a mapping has twice."""
    left, seen = [root], set[int]()
    while left:
        node = left.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        left += _parts(node)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line, name = key.start_mark.line + 1, (key.tag, key.value)
            if name in lines:
                raise _twice(key.value, lines[name], replace(place, line=line))
            lines[name] = line


def _twice(key: str, first: int, place: Location) -> ToolkitError:
    return ToolkitError(
        f"{key} is set twice in one file (first on line {first}); "
        "Ansible would silently take the last one",
        where=place,
        fix=f"remove one of the two lines from {place.path}",
    )
