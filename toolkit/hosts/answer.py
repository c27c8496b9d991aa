"""Answers of programs on a host as dataclasses, by the types of their fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")


def read(kind: type[T], data: Mapping[str, Any], **given: Any) -> T:
    """A dataclass from JSON: unknown keys are passed over, missing ones keep their default.

    Args:
        kind: its fields are plain values, dataclasses, `X | None`, `tuple[X, ...]` or
            `Mapping[str, X]`.
        data: what the program answered.
        given: fields that are not in the answer.
    """
    hints = _hints(cast("Any", kind))  # mypy takes no type[T] for hashable
    values = {name: _value(hints[name], data[name]) for name in hints.keys() & data.keys()}
    return kind(**values, **given)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def _value(hint: Any, value: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        (hint,) = (part for part in parts if part is not NoneType)
        return None if value is None else _value(hint, value)
    if origin is tuple:
        return tuple(_value(parts[0], item) for item in value)
    if origin is Mapping:
        return {name: _value(parts[1], item) for name, item in value.items()}
    kind: type[Any] = hint
    return read(kind, value) if is_dataclass(kind) else value
