"""The settings: read from each role's meta/argument_specs.yml, their only source."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from toolkit.cluster.tables import engines, read, server_groups
from toolkit.content import content_dir


@dataclass(frozen=True)
class Setting:
    """One setting, as its role's argument_specs.yml describes it."""

    name: str
    role: str
    type: str
    description: tuple[str, ...]
    default: Any = None
    choices: tuple[Any, ...] = ()
    elements: str | None = None
    required: bool = False
    secret: bool = False
    options: Mapping[str, Setting] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        """The first sentence of the description."""
        return self.description[0]


def setting(name: str, role: str, spec: Mapping[str, Any]) -> Setting:
    """A setting from its entry in argument_specs.yml, or in a file of the same form (role "")."""
    text = spec.get("description", ["No description."])
    return Setting(
        name=name,
        role=role,
        type=spec.get("type", "str"),
        description=(text,) if isinstance(text, str) else tuple(text),
        default=spec.get("default"),
        choices=tuple(spec.get("choices", ())),
        elements=spec.get("elements"),
        required=spec.get("required", False),
        secret=spec.get("no_log", False),
        options={key: setting(key, role, value) for key, value in spec.get("options", {}).items()},
    )


def roles() -> tuple[str, ...]:
    """The roles in the order of their reference: each group before the engines that serve it."""
    served = [
        name
        for group in server_groups()
        for name in (group, *(one.name for one in engines().values() if one.group == group))
    ]
    return ("airflow", *served, "python", "base")


@cache
def load_specs() -> dict[str, Setting]:
    """Every setting by name, in the order of the roles and of their files."""
    found: dict[str, Setting] = {}
    for role in roles():
        path = content_dir() / "roles" / role / "meta" / "argument_specs.yml"
        for name, spec in read(path)["argument_specs"]["main"]["options"].items():
            found[name] = setting(name, role, spec)
    return found


def nearest(name: str, similarity: float = 0.6) -> str | None:
    """The setting whose name is most like `name`, if one is at least so similar (0 to 1)."""
    return next(iter(difflib.get_close_matches(name, load_specs(), 1, similarity)), None)
