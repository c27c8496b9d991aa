"""What a unit of Airflow may do: the options of its [Service] section that follow from settings.

Pure functions, which the role uses as Jinja filters and the toolkit as functions
(toolkit/cluster/planner.py). The table is files/hardening.yml.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

CLOSED, OFF = "closed", "off"
CHOICES = ("strict", "tasks", OFF)
"""What airflow_hardening may be."""
OWN_OPTIONS = (
    "BusName", "DynamicUser", "ExecStart", "Group", "PIDFile", "RootDirectory", "RootImage", "Type", "User",
)  # fmt: skip
"""Options of a unit that other files and units rely on."""
OURS = ("/var/lib/airflow", "/var/log/airflow")
"""What every unit may write."""
LOG_FOLDERS = (
    ("logging", "base_log_folder"),
    ("logging", "dag_processor_child_process_log_directory"),
    ("scheduler", "child_process_log_directory"),
)
FOLDERS = (("core", "dags_folder"), ("core", "plugins_folder"))

Configuration = Mapping[str, Mapping[str, Any]]
Options = list[tuple[str, str]]


@cache
def hardening(roles: str) -> Mapping[str, Any]:
    """The levels and restrictions, roles/airflow/files/hardening.yml."""
    text = (Path(roles) / "airflow/files/hardening.yml").read_text(encoding="utf-8")
    # The loader in C takes a tenth of the time, and each task of a play loads anew.
    found: Mapping[str, Any] = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


def unit_level(component: Mapping[str, Any], executor: str, chosen: Any) -> str:
    """The level of a component's unit: a key of `levels` in hardening.yml, or off.

    Raises:
        ValueError: there is no such level; Ansible does not ask, where a role is used in parts.

    Args:
        component: its record in release_lines.yml.
        executor: Airflow's.
        chosen: airflow_hardening.
    """
    level = chosen_level(chosen)
    if level not in CHOICES:
        raise ValueError(f"airflow_hardening is {level}; use one of: {', '.join(CHOICES)}")
    code = component.get("runs_code") or executor in component.get("runs_tasks", ())
    return level if code or level == OFF else CLOSED


def chosen_level(chosen: Any) -> str:
    """What airflow_hardening means: of `off` without quotes YAML makes False."""
    return OFF if chosen is False else str(chosen)


def unit_hardening(table: Mapping[str, Any], level: str, paths: Iterable[str]) -> Options:
    """The restrictions of a level as (option, value); one that is a list is several of them.

    Args:
        table: `hardening`.
        level: `unit_level`.
        paths: of folders and files that Airflow has to reach, so that nothing hides them.
    """
    paths = list(paths)
    found: Options = []
    for one in table["restrictions"]:
        value = one.get(level)
        if value is None:
            continue
        if any(_is_below(path, hidden) for path in paths for hidden in one.get("hides", ())):
            value = one["else"]
        found += lines(one["option"], value)
    return found


def _is_below(path: str, directory: str) -> bool:
    return PurePosixPath(directory) in (PurePosixPath(path), *PurePosixPath(path).parents)


def lines(option: str, value: Any) -> Options:
    """An option of a unit as the lines it is written in; each of a list is one."""
    values = value if isinstance(value, list | tuple) else [value]
    return [(option, _text(one)) for one in values]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def chosen_lines(chosen: Mapping[str, Any]) -> Options:
    """airflow_unit_options as lines. They come after ours, so they mean what they do in a drop-in:
    what systemd takes a list for is added to, anything else is replaced."""
    return [line for option, value in chosen.items() for line in lines(option, value)]


def own_lines(chosen: Mapping[str, Any]) -> Options:
    """The same for a unit that is written.

    Raises:
        ValueError: one of them belongs to the role.
    """
    owned = sorted(set(OWN_OPTIONS) & set(chosen))
    if owned:
        raise ValueError(
            f"airflow_unit_options sets {', '.join(owned)}, which belongs to the role; remove it"
        )
    return chosen_lines(chosen)


def log_folders(config: Configuration, environment: Mapping[str, Any]) -> list[str]:
    """Where Airflow writes logs, by its configuration; other folders than /var/log/airflow only."""
    found = (option_value(config, environment, *names) for names in LOG_FOLDERS)
    return _other(found, OURS)


def needed_paths(
    config: Configuration, environment: Mapping[str, Any], more: Iterable[str]
) -> list[str]:
    """What Airflow has to reach beside its own folders: DAGs, plugins, bundles, logs.

    Args:
        config: the sections of airflow.cfg.
        environment: airflow_environment, whose AIRFLOW__SECTION__OPTION win.
        more: other paths, such as airflow_dags_folder; empty ones do not count.
    """
    found = [option_value(config, environment, *names) for names in FOLDERS]
    found += _bundles(option_value(config, environment, "dag_processor", "dag_bundle_config_list"))
    return _other([*found, *log_folders(config, environment), *more], OURS)


def certificate_paths(line: Mapping[str, Any], config: Configuration) -> list[str]:
    """The web server's certificate and key, where it serves TLS itself; `line` is its release line."""
    names = [name.split(".") for former in line["tls"].values() for name in former]
    found = (option_value(config, {}, section, option) for section, option in names)
    return _other(found, ())


def option_value(
    config: Configuration, environment: Mapping[str, Any], section: str, option: str
) -> str:
    """An option of Airflow's own: airflow_environment wins; "" where neither sets it."""
    name = f"AIRFLOW__{section.upper()}__{option.upper()}"
    options = config.get(section)
    return str(environment.get(name) or (isinstance(options, dict) and options.get(option)) or "")


def _bundles(text: str) -> list[str]:
    """The folders of DAG bundles on the host."""
    try:
        bundles = json.loads(text or "[]")
        kwargs = [one.get("kwargs") or {} for one in bundles]
        return [str(one["path"]) for one in kwargs if one.get("path")]
    except (ValueError, AttributeError, TypeError):  # Airflow itself reports what it cannot read
        return []


def _other(paths: Iterable[str], known: Sequence[str]) -> list[str]:
    """Absolute paths, each once, that are below none of the known ones."""
    absolute = dict.fromkeys(path for path in paths if path.startswith("/"))
    return [path for path in absolute if not any(_is_below(path, one) for one in known)]


def writable(paths: Iterable[str]) -> str:
    """The value of ReadWritePaths: ours, and others as far as they are there."""
    return " ".join([*OURS, *(_quoted(f"-{path}") for path in dict.fromkeys(paths))])


def _quoted(path: str) -> str:
    """A path in a list of systemd's, where a blank ends a word and % begins a specifier."""
    escaped = path.replace("%", "%%")
    return f'"{escaped}"' if " " in escaped else escaped


def folders(paths: Iterable[str]) -> list[dict[str, Any]]:
    """Directories of the service user as files for the module write_files, which makes missing ones."""
    access = {"owner": "airflow", "group": "airflow", "mode": "0750"}
    return [{"path": path, "directory": True, **access} for path in dict.fromkeys(paths)]


class FilterModule:
    """The functions that the role uses, as Jinja filters."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {f"plan_{function.__name__}": function for function in (
            hardening, unit_level, unit_hardening, chosen_lines, own_lines, log_folders, needed_paths,
            certificate_paths, writable, folders,
        )}  # fmt: skip
