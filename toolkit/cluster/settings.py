"""Validation: the inventory's variables compared with the settings that the roles describe.

Ansible's own check accepts unknown top-level variables and converts nothing, so a typo or a quoted
number would go unseen until something misbehaves; here both are errors with file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from toolkit.cluster.meanings import problem_of
from toolkit.cluster.model import Cluster
from toolkit.cluster.specs import Setting, load_specs, nearest, roles
from toolkit.cluster.variables import Variable
from toolkit.cluster.yamlfile import VaultedValue, is_template
from toolkit.findings import Finding

_SLIP = 0.85
"""Similarity of two names from which on one is taken for the other with a slip of the pen."""


@dataclass(frozen=True)
class Mistake:
    """What is wrong with one value: the id of the finding, one sentence, and what corrects it."""

    id: str
    what: str
    fix: str


def validate(cluster: Cluster) -> list[Finding]:
    """Everything that is wrong with the inventory's variables, each with file and line.

    No value of a vault is ever repeated.

    Raises:
        ToolkitError: the vault's password is missing or wrong.
    """
    specs = load_specs()
    custom = cluster.setting("base_custom_variables")
    declared = {str(name) for name in custom} if isinstance(custom, list) else set()
    problems: list[Finding] = []
    for variable in cluster.variables:
        spec = specs.get(variable.name)
        if spec is not None and variable.secret:
            spec = replace(spec, secret=True)
        if spec is not None:
            value = _evaluated(cluster, variable)
            problems += [_finding(variable, found) for found in check_value(spec, value)]
        elif not (
            variable.computed
            or variable.name in declared
            or variable.name.startswith(("ansible_", "_"))
        ):
            problems += map(partial(_finding, variable), _unknown(variable.name))
    return problems


def _evaluated(cluster: Cluster, variable: Variable) -> Any:
    """The value, for a template what it comes to on the first host where it counts."""
    if not is_template(variable.value):
        return variable.value
    for host in cluster.all_hosts:
        counts = cluster.sources.of_host(host.name, host.groups).find(variable.name)
        if counts is not None and counts.location == variable.location:
            return counts.value
    return variable.value


def check(name: str, value: Any) -> Iterator[Mistake]:
    """What is wrong with a value of this setting."""
    return check_value(load_specs()[name], value)


def _unknown(name: str) -> Iterator[Mistake]:
    """A slip of the pen, or a name that looks like one of ours; inventories are full of others."""
    near, close = nearest(name), nearest(name, _SLIP)
    own = f"; if it is a variable of your own: base_custom_variables: [{name}]"
    if close:
        what = f"there is no setting {name}; did you mean {close}?"
        yield Mistake("settings.unknown", what, f"rename it to {close}{own}")
    elif name.startswith(tuple(f"{role}_" for role in roles())):
        what = f"there is no setting {name}" + (f", the nearest is {near}" if near else "")
        yield Mistake("settings.own_prefix", what, f"toolkit settings lists all of them{own}")


def _finding(variable: Variable, found: Mistake) -> Finding:
    return Finding.of(found.id, what=f"{variable.location}: {found.what}", fix=found.fix)


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text"),
    "path": (lambda value: isinstance(value, str), "a path"),
    "int": (lambda value: isinstance(value, int) and not isinstance(value, bool), "a whole number"),
    "float": (lambda value: isinstance(value, int | float), "a number"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "list": (lambda value: isinstance(value, list), "a list"),
    "dict": (lambda value: isinstance(value, dict), "a dictionary"),
}


def check_value(spec: Setting, value: Any, where: str = "") -> Iterator[Mistake]:
    """What is wrong with one value; values that Ansible computes later are left alone."""
    if isinstance(value, str) and (isinstance(value, VaultedValue) or is_template(value)):
        return
    if value is False and "off" in spec.choices:  # what YAML makes of off without quotes
        value = "off"
    name = where or spec.name
    fits, kind = _TYPES[spec.type]
    if not fits(value):
        what = f"{name} has to be {kind}, not {_shown(spec, value)}"
        yield Mistake("settings.type", what, _type_fix(spec, value, name))
    elif spec.choices and value not in spec.choices:
        allowed = ", ".join(str(choice) for choice in spec.choices)
        what = f"{name} cannot be {_shown(spec, value)}"
        yield Mistake("settings.choice", what, f"use one of: {allowed}")
    else:
        yield from _check_meaning(spec, value, name)
        if spec.type == "list":
            yield from _check_elements(spec, value, name)
        elif spec.type == "dict" and spec.options:
            yield from _check_keys(spec, value, name)


def _check_meaning(spec: Setting, value: Any, name: str) -> Iterator[Mistake]:
    found = problem_of(name, value)
    if found:
        problem, fix = found
        shown = problem.replace(repr(value), "the value that is there") if spec.secret else problem
        yield Mistake("settings.value", f"{name}: {shown}", fix)


def _check_elements(spec: Setting, values: list[Any], name: str) -> Iterator[Mistake]:
    element = Setting(name, spec.role, spec.elements or "str", spec.description,
                      secret=spec.secret, options=spec.options)  # fmt: skip
    for number, value in enumerate(values):
        yield from check_value(element, value, f"{name}[{number}]")


def _check_keys(spec: Setting, value: Mapping[Any, Any], name: str) -> Iterator[Mistake]:
    for key, inner in value.items():
        if str(key) in spec.options:
            yield from check_value(_inner(spec, str(key)), inner, f"{name}.{key}")
        else:
            known = ", ".join(spec.options)
            yield Mistake("settings.unknown", f"{name} has no key {key}", f"use one of: {known}")
    for key, option in spec.options.items():
        if option.required and key not in value:
            what = f"{name} lacks {key}"
            yield Mistake("settings.missing", what, f"add {key}: {option.summary}")


def _inner(spec: Setting, key: str) -> Setting:
    """The option below a setting; what is in a secret is secret."""
    option = spec.options[key]
    return replace(option, secret=spec.secret or option.secret)


def _shown(spec: Setting, value: Any) -> str:
    return "the value that is there" if spec.secret else repr(value)


def _type_fix(spec: Setting, value: Any, name: str) -> str:
    key = name.rpartition(".")[2]
    written = "VALUE" if spec.secret else value
    if spec.type in {"str", "path"} and isinstance(value, int | float):
        return f'put it in quotes: {key}: "{written}" (check that no trailing 0 is lost)'
    if spec.type in {"int", "bool", "float"} and isinstance(value, str):
        return f"remove the quotes: {key}: {str(written).strip() or spec.default}"
    if spec.type == "list" and isinstance(value, str):
        return f"write it as a list: {key}: [{written}]"
    return f"toolkit settings {spec.name}" if spec.role else f"make it {_TYPES[spec.type][1]}"
