"""Validation: the inventory's variables compared with the settings that the roles describe.

Ansible's own check accepts unknown top-level variables and converts nothing, so a typo or a quoted
number would go unseen until something misbehaves; here both are errors with file and line.
"""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from toolkit.cluster.lockfile import normal_requirements
from toolkit.cluster.login import is_address
from toolkit.cluster.model import Cluster
from toolkit.cluster.specs import Setting, load_specs, nearest, roles
from toolkit.cluster.variables import Variable
from toolkit.cluster.yamlfile import VaultedValue, is_template
from toolkit.errors import ToolkitError
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
    name = where or spec.name
    fits, kind = _TYPES[spec.type]
    if not fits(value):
        what = f"{name} has to be {kind}, not {_shown(spec, value)}"
        yield Mistake("settings.type", what, _type_fix(spec, value, name))
    elif spec.choices and value not in spec.choices:
        allowed = ", ".join(str(choice) for choice in spec.choices)
        what = f"{name} cannot be {_shown(spec, value)}"
        yield Mistake("settings.choice", what, f"use one of: {allowed}")
    elif spec.type == "list":
        yield from _check_elements(spec, value, name)
    elif spec.type == "dict" and spec.options:
        yield from _check_keys(spec, value, name)
    else:
        yield from _check_meaning(spec, value)


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


def time_zone(value: Any) -> str | None:
    """What is wrong with the name of a time zone; None when there is one of that name."""
    if value in {"utc", "system"}:
        return None
    try:
        zoneinfo.ZoneInfo(value)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(value, zoneinfo.available_timezones(), 1)
        guess = f"; did you mean {near[0]}?" if near else ""
        return f"there is no time zone {value!r}{guess}"
    return None


def _version(value: Any) -> str | None:
    line = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:rc\d+)?", value)
    if line and (int(line[1]) == 3 or (int(line[1]) == 2 and int(line[2]) >= 11)):
        return None
    return f"Airflow {value} is not supported; it has to be 2.11 or a 3 release, like 3.3.2"


def _port(value: Any) -> str | None:
    return None if 1 <= value <= 65535 else f"{value} is not a TCP port (1 to 65535)"


def _address(value: Any) -> str | None:
    fits = not value or is_address(value)
    return None if fits else f"{value} is not an address or a name"


def _not_negative(value: Any) -> str | None:
    return None if value >= 0 else f"{value} is negative"


def _sections(value: Any) -> str | None:
    flat = [key for key, options in value.items() if not isinstance(options, dict)]
    return f"{flat[0]} is outside a section" if flat else None


def _base_url(value: Any) -> str | None:
    return _server_url(value) or (
        None if not value or value.startswith(("http://", "https://")) else "it has to be http(s)"
    )


def _server_url(value: Any) -> str | None:
    """Says nothing of the value, which may hold a password."""
    try:
        parts = urlsplit(value)
        readable = not value or ("://" in value and bool(parts.scheme) and parts.port != 0)
    except ValueError:
        readable = False
    return None if readable else "its scheme, host and port cannot be read"


def _broker_url(value: Any) -> str | None:
    if problem := _server_url(value):
        return problem
    parts = urlsplit(value)
    # Databases and options are put behind it.
    return "it has to end with the port" if parts.path or parts.query or parts.fragment else None


def _s3_folder(value: Any) -> str | None:
    # Airflow's hook reads it as a URL, so that ? and # would cut it off.
    fits = re.fullmatch(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9](/[^/\s?#]+)*/?", value)
    return None if fits or not value else f"{value!r} is no folder of an S3 bucket"


def _aws_region(value: Any) -> str | None:
    fits = re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", value)
    return None if fits or not value else f"{value!r} is no AWS region"


def _requirement(value: Any) -> str | None:
    try:
        normal_requirements([value])
    except ToolkitError as error:
        return error.what
    return None


_MEANINGS: tuple[tuple[str, Callable[[Any], str | None], str], ...] = (
    (r"airflow_timezone", time_zone, "use a name of the tz database, such as Asia/Seoul"),
    (r"airflow_version", _version, 'for example airflow_version: "3.3.2"'),
    (r"airflow_config", _sections, "write {section: {option: value}}, as in airflow.cfg"),
    (r"airflow_base_url", _base_url, "for example https://airflow.example.com"),
    (r"airflow_remote_log_folder", _s3_folder, "write s3://BUCKET/PREFIX"),
    (r"airflow_aws_region", _aws_region, "write it as AWS does, such as eu-central-1"),
    (r"airflow_aws_endpoint_url", _base_url, "for example https://minio.example.com:9000"),
    (r"airflow_requirements.*", _requirement, 'write it as in a requirements file: "pandas>=2,<3"'),
    (r"(airflow_)?broker_url", _broker_url, "write redis://:PASSWORD@HOST:PORT, or rediss:// for TLS; "
     "Airflow uses the databases 0 and 1, and in the password %2F is /, %3F is ?, %23 is #"),
    (r".*_url", _server_url, "write SCHEME://USER:PASSWORD@HOST:PORT/NAME, and in the password "
     "%2F for /, %3A for :, %40 for @, %23 for #"),
    (r"base_address", _address, "the address itself, without scheme, user and port: 10.0.0.7"),
    (r".*_port", _port, "choose a free port, such as 8080"),
    (r".*(_workers|parallelism|concurrency|timeout|days|_mb|connections)", _not_negative,
     "use 0 for the default, or a positive number"),
)  # fmt: skip


def _check_meaning(spec: Setting, value: Any) -> Iterator[Mistake]:
    for pattern, problem_of, fix in _MEANINGS:
        if re.fullmatch(pattern, spec.name) and spec.type not in {"bool", "list"}:
            problem = problem_of(value)
            if problem:
                yield Mistake("settings.value", f"{spec.name}: {problem}", fix)
            return
