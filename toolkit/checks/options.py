"""Airflow's own options: whether this release knows them, and can read their values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.checks.common import error, plan_rule, warning
from toolkit.cluster import Cluster, Variable
from toolkit.cluster.meanings import time_zone
from toolkit.cluster.releases import INDIRECT, Known, known
from toolkit.findings import Finding


@dataclass(frozen=True)
class _Set:
    """An option as the inventory sets it; `where` is the file, the line and how it is written."""

    where: str
    section: str
    option: str
    value: Any
    secret: bool


@plan_rule
def options(cluster: Cluster) -> Iterator[Finding]:
    """Airflow passes over what it does not know, so nobody else would say it."""
    version = cluster.version
    release = known(version)
    if release is None:
        return
    for chosen in _chosen(cluster, release):
        name = f"{chosen.section}.{chosen.option}"
        kind = release.kind(chosen.section, chosen.option)
        if kind:
            yield from _value(chosen, kind)
        elif name in release.moved:
            new = release.moved[name]
            yield warning(
                "options.moved",
                host="",
                what=f"{chosen.where}: {name} is {new} in Airflow {version}",
                fix=f"write it as {new}",
            )
        elif name in release.removed:
            hint = release.removed[name]
            yield warning(
                "options.removed",
                host="",
                what=f"{chosen.where}: Airflow {version} has no {name} any more"
                + (f" ({hint})" if hint else ""),
                fix="remove it",
            )
        else:
            yield _unknown(chosen, release, version)


def _unknown(chosen: _Set, release: Known, version: str) -> Finding:
    if chosen.section not in release.options:
        near = difflib.get_close_matches(chosen.section, release.options, 1, 0.7)
        return warning(
            "options.unknown_section",
            host="",
            what=f"{chosen.where}: Airflow {version} has no section {chosen.section}"
            + (f"; did you mean {near[0]}?" if near else ""),
            fix=f"rename it to {near[0]}" if near else "leave it when your own DAGs read it",
        )
    nearest = release.nearest(chosen.section, chosen.option)
    # Another release of the line may know some options more, or less.
    severity = error if version == release.version else warning
    return severity(
        "options.unknown",
        host="",
        what=f"{chosen.where}: Airflow {version} has no option {chosen.section}.{chosen.option}"
        + (f"; did you mean {nearest}?" if nearest else ""),
        fix=f"write it as {nearest}" if nearest else "remove it",
    )


def _value(chosen: _Set, kind: str) -> Iterator[Finding]:
    text = str(chosen.value)
    if chosen.value in (None, "") or "{{" in text or chosen.option.endswith(INDIRECT):
        return
    problem = None
    if chosen.option in ("default_timezone", "default_ui_timezone"):
        problem = time_zone(text)
        problem = "there is no such time zone" if problem and chosen.secret else problem
    elif not _READS[kind](text):
        problem = f"{'its value' if chosen.secret else repr(text)} is no {kind}"
    if problem:
        yield error(
            "options.value",
            host="",
            what=f"{chosen.where}: {chosen.section}.{chosen.option}: {problem}",
            fix=f"write a value of type {kind}",
        )


def _is(kind: Callable[[str], Any]) -> Callable[[str], bool]:
    def reads(text: str) -> bool:
        try:
            kind(text)
        except ValueError:
            return False
        return True

    return reads


_READS: Mapping[str, Callable[[str], bool]] = {
    "string": lambda _: True,
    "integer": _is(int),
    "float": _is(float),
    # As airflow.configuration.getboolean reads it.
    "boolean": lambda text: text.lower().strip() in ("t", "true", "1", "f", "false", "0"),
}


def _chosen(cluster: Cluster, release: Known) -> Iterator[_Set]:
    """Every option that the inventory sets by Airflow's own name."""
    for variable in cluster.variables:
        value = variable.value if isinstance(variable.value, dict) else {}
        if variable.name == "airflow_config":
            yield from _of_config(variable, value)
        elif variable.name == "airflow_environment":
            yield from _of_environment(variable, value, release)


def _of_config(variable: Variable, config: Mapping[Any, Any]) -> Iterator[_Set]:
    for section, entries in config.items():
        for option, value in entries.items() if isinstance(entries, dict) else ():
            name = f"{section}.{option} in airflow_config"
            yield _Set(f"{variable.location}: {name}", str(section), str(option).lower(), value,
                       variable.secret)  # fmt: skip


def _of_environment(
    variable: Variable, environment: Mapping[Any, Any], release: Known
) -> Iterator[_Set]:
    # In the names of variables a section's dots are underscores.
    sections = {section.replace(".", "_"): section for section in release.options}
    for name, value in environment.items():
        prefix, _, rest = str(name).partition("__")
        section, _, option = rest.lower().partition("__")
        if prefix == "AIRFLOW" and option:
            where = f"{variable.location}: {name} in airflow_environment"
            yield _Set(where, sections.get(section, section), option, value, variable.secret)
