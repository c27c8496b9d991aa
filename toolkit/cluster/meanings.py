"""What each setting's value has to mean, beyond its type: one table, each line with an example for the fix."""

from __future__ import annotations

import difflib
import ipaddress
import re
import zoneinfo
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from toolkit.cluster.lockfile import normal_requirements, outside_index
from toolkit.cluster.login import is_address
from toolkit.cluster.tables import engine_of, read
from toolkit.errors import ToolkitError

Problem = str | None
"""What is wrong with a value, in words that do not repeat a secret; None when nothing is."""


def problem_of(name: str, value: Any) -> tuple[str, str] | None:
    """What is wrong with the meaning of a value, and what corrects it.

    Args:
        name: of the setting, for a part of it with its place: airflow_users[0].email.
        value: of the right type.
    """
    for pattern, problem, fix in _MEANINGS:
        if re.fullmatch(pattern, name):
            found = problem(value)
            return (found, fix) if found else None
    return None


def _matches(pattern: str, what: str) -> Callable[[Any], Problem]:
    """Whether a text has a form; an empty one says nothing."""

    def problem(value: Any) -> Problem:
        fits = isinstance(value, str) and re.fullmatch(pattern, value)
        return None if fits else f"{value!r} is no {what}"

    return problem


def _or_empty(problem: Callable[[Any], Problem]) -> Callable[[Any], Problem]:
    return lambda value: None if value == "" else problem(value)


def _between(least: int, most: float, what: str) -> Callable[[Any], Problem]:
    return lambda value: None if least <= value <= most else f"{value} is {what}"


def _not_empty(value: Any) -> Problem:
    return None if value else "it is empty"


def time_zone(value: Any) -> Problem:
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


def _version(value: Any) -> Problem:
    line = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(?:rc\d+)?", value)
    if line and (int(line[1]) == 3 or (int(line[1]) == 2 and int(line[2]) >= 11)):
        return None
    return f"Airflow {value} is not supported; it has to be 2.11 or a 3 release, like 3.3.2"


def _address(value: Any) -> Problem:
    fits = not value or is_address(value)
    return None if fits else f"{value} is not an address or a name"


def _network(value: Any) -> Problem:
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return f"{value!r} is neither an address nor a network"
    return None


_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OURS = ("AIRFLOW_HOME", "AIRFLOW_CONFIG")


def _environment(value: Mapping[Any, Any]) -> Problem:
    for name, text in value.items():
        if not _VARIABLE.fullmatch(str(name)):
            return f"{name!r} is no name of an environment variable"
        if name in _OURS:
            return f"{name} is the units' own"
        if not isinstance(text, str | int | float):
            return f"{name} has no text as its value"
        if re.search(r"[\x00-\x08\x0b-\x1f\x7f]", str(text)):
            return f"the value of {name} has a control character, which systemd refuses"
    return None


def _options(owned: Mapping[str, str]) -> Callable[[Any], Problem]:
    """Options of a server's own configuration; `owned` are those that a setting of ours has."""

    def problem(value: Mapping[Any, Any]) -> Problem:
        for name, text in value.items():
            if not re.fullmatch(r"[A-Za-z][\w.-]*", str(name)):
                return f"{name!r} is no name of an option"
            setting = owned.get(str(name).lower().replace("-", "_"))
            if setting:
                return f"{name} has a setting of its own, {setting}"
            if not isinstance(text, str | int | float):
                return f"{name} has no text or number as its value"
        return None

    return problem


_OWNED: Mapping[str, Mapping[str, str]] = read(Path(__file__).with_name("owned_options.yml"))
_IN_CONFIG = {**_OWNED["airflow"], **_OWNED["airflow_only_in_environment"]}
_IN_ENVIRONMENT = {
    "AIRFLOW__" + option.upper().replace(".", "__"): setting
    for table in ("airflow", "airflow_only_in_config")
    for option, setting in _OWNED[table].items()
}


def _airflow_environment(value: Mapping[Any, Any]) -> Problem:
    for name in value:
        plain = str(name).upper().removesuffix("_CMD").removesuffix("_SECRET")
        setting = _IN_ENVIRONMENT.get(str(name).upper()) or _IN_ENVIRONMENT.get(plain)
        if setting:
            return f"{name} has a setting of its own, {setting}"
    return _environment(value)


def _sections(value: Mapping[Any, Any]) -> Problem:
    for section, options in value.items():
        if not isinstance(options, dict):
            return f"{section} is outside a section"
        for option, text in options.items():
            name = f"{section}.{option}".lower()
            forms = (name, name.removesuffix("_cmd"), name.removesuffix("_secret"))
            setting = next((_IN_CONFIG[form] for form in forms if form in _IN_CONFIG), None)
            if setting:
                return f"{section}.{option} has a setting of its own, {setting}"
            if not isinstance(text, str | int | float):
                return f"{section}.{option} has no text, number or truth as its value"
    return None


def _web_url(value: Any) -> Problem:
    return _server_url(value) or (
        None if not value or value.startswith(("http://", "https://")) else "it has to be http(s)"
    )


def _base_url(value: Any) -> Problem:
    if problem := _web_url(value):
        return problem
    parts = urlsplit(value)
    if value and (not parts.hostname or re.search(r"\s", parts.netloc)):
        return "it has no host" if not parts.hostname else "its host has white space in it"
    if parts.query or parts.fragment or value.endswith(("?", "#")):
        return "it has to end with the host, the port or a path"
    if "@" in parts.netloc:
        return "it has a user, which every link to the web UI would show"
    fits = re.fullmatch(r"(/[\w.~-]+)*/?", parts.path)
    return None if fits else f"{parts.path!r} is no path to serve it under"


def _server_url(value: Any) -> Problem:
    """Says nothing of the value, which may hold a password."""
    try:
        parts = urlsplit(value)
        readable = not value or ("://" in value and bool(parts.scheme) and parts.port != 0)
    except ValueError:
        readable = False
    return None if readable else "its scheme, host and port cannot be read"


def _another_scheme(scheme: str) -> str:
    """The scheme to write in place of one whose driver the lock has not; "" where it has it."""
    # MariaDB's tools have a scheme of theirs.
    found = engine_of(f"{scheme}://") or engine_of("mysql://")
    assert found
    known = [driver.scheme for driver in found.drivers.values()]
    return "" if scheme in (*known, *(one.partition("+")[0] for one in known)) else known[0]


_UNESCAPED = "@/?#[]% "


def _pasted(value: str) -> Problem:
    """What happens to a URL on its way here; the password is not repeated, nor is its end."""
    if value != value.strip():
        return "it has white space around it"
    if value[:1] in "'\"" or value[-1:] in "'\"":
        return "it has quotes in it, around it"
    scheme, found, rest = value.partition("://")
    if value.startswith("jdbc:"):
        return (
            "it is written for Java; leave out jdbc:, and write user and password before the host"
        )
    if not found or not re.fullmatch(r"[A-Za-z][\w+.-]*", scheme):
        return None
    if scheme != scheme.lower():
        return f"its scheme has capitals; write {scheme.lower()}://"
    # An @ behind the question mark is an option's, where the server has come before it.
    first = rest.partition("?")[0].partition("/")[0]
    alone = re.fullmatch(r"(\[[^]]*\]|[^:@]+)(:\d+)?", first) and "?" in rest
    server = rest.partition("?")[0] if "@" in first or alone else rest
    login, at, _ = server.rpartition("@")
    password = login.partition(":")[2] if at else ""
    marks = re.sub(r"%[0-9A-Fa-f]{2}", "", password)
    wrong = [mark for mark in _UNESCAPED if mark in marks]
    if wrong:
        forms = ", ".join(f"{'a space' if mark == ' ' else mark} is written {quote(mark, safe='')}" for mark in wrong)  # fmt: skip
        return f"its password is not escaped: there {forms}"
    return None


def url_problem(value: str) -> Problem:
    """What is wrong with a URL that may have a password, which is not repeated."""
    return _pasted(value) or _server_url(value)


def _dags_source(value: Any) -> Problem:
    return url_problem(value) if "://" in value else None


def _database_url(value: Any) -> Problem:
    if not value or value.startswith("sqlite"):  # which has a finding of its own
        return None
    if problem := _pasted(value) or _server_url(value):
        return problem
    parts = urlsplit(value)
    if re.search(r"\s", value):
        return "it has white space in it"
    if not parts.scheme.startswith(("postgres", "mysql", "mariadb")):
        return f"Airflow keeps no database in {parts.scheme}://; it is PostgreSQL or MySQL"
    if another := _another_scheme(parts.scheme):
        return f"Airflow has no {parts.scheme}:// here; write {another}://"
    if not parts.path.strip("/"):
        return "it has no name of a database at its end"
    if not parts.hostname and not re.search(r"(^|&)(host|unix_socket)=", parts.query):
        return "it has no host"
    return None


def _broker_url(value: Any) -> Problem:
    if not value:
        return None
    if problem := _pasted(value) or _server_url(value):
        return problem
    parts = urlsplit(value)
    if parts.scheme in ("redis", "rediss") and not parts.hostname:
        return "it has no host"
    # Databases and options are put behind it.
    return "it has to end with the port" if parts.path or parts.query or parts.fragment else None


def _s3_folder(value: Any) -> Problem:
    # Airflow's hook reads it as a URL, so that ? and # would cut it off.
    fits = re.fullmatch(r"s3://[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9](/[^/\s?#]+)*/?", value)
    return None if fits or not value else f"{value!r} is no folder of an S3 bucket"


def _requirement(value: Any) -> Problem:
    if problem := outside_index(value):
        return problem
    try:
        normal_requirements([value])
    except ToolkitError as error:
        return error.what
    return None


def _directory(value: Any) -> Problem:
    # A quote or a line break would end the value in a unit.
    if not re.fullmatch(r"/[^\x00-\x1f\"'\\]*", value) or ".." in value.split("/"):
        return f"{value!r} is no absolute path"
    return "it is the directory of everything" if not value.strip("/") else None


def _user_name(value: Any) -> Problem:
    if value == "toolkit-canary":
        return "toolkit-canary is the proof's own user"
    return _matches(r"[^\s:,]{1,256}", "name that one can sign in with")(value)


_NAME = _matches(r"[A-Za-z_][\w.$-]{0,62}", "name of a database or user")
_TCP_PORT = _between(1, 65535, "not a TCP port (1 to 65535)")


def _high_port(value: Any) -> Problem:
    if not 1 <= value <= 65535:
        return _TCP_PORT(value)
    return f"{value} is below 1024, which only root may open" if value < 1024 else None


_PASSWORD_FORMS = (
    "%2F for /, %3A for :, %40 for @, %23 for #, %3F for ?, %25 for %"  # as people need them
)
_MEANINGS: tuple[tuple[str, Callable[[Any], Problem], str], ...] = (
    (r"airflow_timezone", time_zone, "use a name of the tz database, such as Asia/Seoul"),
    (r"airflow_version", _version, 'for example airflow_version: "3.3.2"'),
    (r"airflow_extras\[\d+\]", _matches(r"[A-Za-z0-9][\w.-]*", "extra of apache-airflow"),
     "write the name alone: celery"),
    (r"airflow_config", _sections, "write {section: {option: value}}, as in airflow.cfg, and use the setting where there is one"),
    (r"airflow_environment", _airflow_environment,
     "write NAME: value, with letters, digits and _, and use the setting where there is one"),
    (r"python_environment", _environment, "write NAME: value, with letters, digits and _"),
    (r"airflow_base_url", _base_url, "for example https://airflow.example.com or https://example.com/airflow"),
    (r"airflow_web_host", _matches(r"[^\s/]+", "address to listen on") , "0.0.0.0 for all addresses, or one of the host's"),
    (r"airflow_web_port", _TCP_PORT, "choose a free port, such as 8080"),
    (r"airflow_remote_log_folder", _s3_folder, "write s3://BUCKET/PREFIX"),
    (r"airflow_aws_region", _or_empty(_matches(r"[a-z]+(-[a-z0-9]+)+", "AWS region")),
     "write it as AWS does, such as eu-central-1"),
    (r"airflow_aws_endpoint_url", _web_url, "for example https://minio.example.com:9000"),
    (r"airflow_requirements\[\d+\]", _requirement, 'write it as in a requirements file: "pandas>=2,<3"; what is in no index '
     "yet: build a wheel (uv build), upload it to an index of yours, and set python_index_url"),
    (r"airflow_worker_queues", _not_empty, "airflow_worker_queues: [default]"),
    (r"airflow_worker_queues\[\d+\]", _matches(r"[^\s,'\"%$\\]+", "name of a queue"), "letters, digits, . _ and -"),
    (r"airflow_writable_paths\[\d+\]", _directory, "for example /data/exports"),
    (r"airflow_dags_folder", _or_empty(_directory), "for example /data/dags; empty for the one that the toolkit makes"),
    (r"airflow_dags_source", _dags_source, f"write https://HOST/PATH or ssh://USER@HOST/PATH; in a password {_PASSWORD_FORMS}"),
    (r"airflow_dags_keep", _between(1, float("inf"), "no number of releases to keep"), "1 or more, such as 10"),
    (r"airflow_log_retention_days", _between(1, float("inf"), "no time to keep logs"), "1 or more; 36500 for ever"),
    (r"airflow_admin_username|airflow_users\[\d+\]\.username", _user_name, "for example airflow_admin_username: admin"),
    (r"airflow_admin_email|airflow_users\[\d+\]\.email", _matches(r"[^@\s]+@[^@\s]+", "e-mail address"),
     "for example admin@example.com"),
    (r"airflow_users\[\d+\]\.password", _not_empty, "give the user a password"),
    (r"(metadata_db|postgres|mysql)_(name|user|database)", _NAME, "letters, digits and _, such as airflow"),
    (r"(metadata_db|airflow_database)_url", _database_url,
     f"write postgresql+psycopg2://USER:PASSWORD@HOST:PORT/NAME, and in the password {_PASSWORD_FORMS}"),
    (r"(airflow_)?broker_url", _broker_url, "write redis://:PASSWORD@HOST:PORT, or rediss:// for TLS; "
     "Airflow uses the databases 0 and 1, and in the password %2F is /, %3F is ?, %23 is #, %40 is @"),
    (r"python_index_url|mysql_repository_url", _server_url, "for example https://packages.example.com/simple; "
     f"in a password {_PASSWORD_FORMS}"),
    (r".*_url", _server_url, f"write SCHEME://USER:PASSWORD@HOST:PORT/NAME, and in the password {_PASSWORD_FORMS}"),
    (r"python_interpreter", _or_empty(_matches(r"/\S+", "absolute path")), "for example /usr/bin/python3.12"),
    (r"python_versions", _not_empty, 'python_versions: ["3.12"]'),
    (r"python_versions\[\d+\]", _matches(r"3\.\d+", "minor version of Python"), 'write it as "3.12"'),
    (r"base_packages\[\d+\]", _matches(r"[A-Za-z0-9@/][^\s;|&$]*", "name of a package"), "one name an entry, without options"),
    (r"base_custom_variables\[\d+\]", _matches(r"[A-Za-z_]\w*", "name of a variable"), "the name alone"),
    (r"base_address", _address, "the address itself, without scheme, user and port: 10.0.0.7"),
    (r"(postgres|mysql)_client_addresses\[\d+\]", _network, "an address, or a network such as 10.0.0.0/8"),
    (r"redis_bind\[\d+\]", lambda value: _address(value.removeprefix("-")), "an address of the host"),
    *((f"{server}_config", _options(_OWNED[server]), f"write option: value, as in {file}, and use the setting where there is one")
      for server, file in (("postgres", "postgresql.conf"), ("mysql", "section mysqld"), ("redis", "redis.conf"))),
    (r".*_port", _high_port, "choose a free port from 1024 on"),
    (r".*(_workers|parallelism|concurrency|timeout|_mb|connections)", _between(0, float("inf"), "negative"),
     "use 0 for the default, or a positive number"),
)  # fmt: skip
"""Pattern of a name, what finds a problem, and an example; the first pattern that matches counts."""


def meanings() -> Iterator[str]:
    """The patterns, for the test that every setting has a meaning or is known to need none."""
    yield from (pattern for pattern, _, _ in _MEANINGS)
