"""What Airflow becomes on a host: components, lock, URLs, sizes, configuration, secrets.

Pure functions, which the role uses as Jinja filters and the toolkit as functions
(toolkit/cluster/planner.py). `line` is a release line's entry of files/release_lines.yml.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

CELERY, LOCAL = "CeleryExecutor", "LocalExecutor"
DEFAULT_PARALLELISM = 32
"""Airflow's own default, for Celery while nobody knows how much the workers run at once."""
PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})
"""Environment variables that name a proxy, in lower case."""

BUNDLES = [
    # Airflow's own default, below core.dags_folder: the canary, and DAGs that somebody copied.
    {
        "name": "dags-folder",
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {},
    },
    {
        "name": "deployed",
        "classpath": "airflow_toolkit_bundle.ReleaseDagBundle",
        "kwargs": {},
    },
]
"""The DAG bundles of Airflow 3. The names are in its database, with every run."""

Line = Mapping[str, Any]


def _load(text: str) -> Any:
    # The loader in C takes a tenth of the time, and each task of a play loads anew.
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def release_lines(roles: str) -> Mapping[str, Line]:
    """What differs between Airflow's release lines, roles/airflow/files/release_lines.yml."""
    text = (Path(roles) / "airflow/files/release_lines.yml").read_text(encoding="utf-8")
    found: Mapping[str, Line] = _load(text)
    return found


# Components


def executor(groups: Mapping[str, Iterable[str]]) -> str:
    """Airflow's executor: Celery as soon as there is a worker host."""
    return CELERY if list(groups.get("worker", ())) else LOCAL


def components(
    line: Line, groups: Iterable[str], chosen: Iterable[str], switches: Mapping[str, Any]
) -> list[str]:
    """The components of a host: those that `chosen` names, else those of its groups.

    Args:
        switches: setting in `enabled_by` of a component -> its value; only false turns one off.
    """
    mine = set(groups)
    return list(chosen) or [
        name
        for name, data in line["components"].items()
        if data["group"] in mine and switches.get(data.get("enabled_by", "")) is not False
    ]


def switches(line: Line) -> list[str]:
    """The settings that turn components off."""
    found = (data.get("enabled_by") for data in line["components"].values())
    return list(dict.fromkeys(name for name in found if name))


def units(components: Iterable[str]) -> list[str]:
    """The systemd units of components."""
    return [f"airflow-{name}.service" for name in components]


def unit_files(components: Sequence[str]) -> list[dict[str, Any]]:
    """The units as files for the module write_files."""
    return [
        {
            "path": f"/etc/systemd/system/{unit}",
            "template": "airflow-component.service.j2",
            "vars": {"component_name": name},
        }
        for name, unit in zip(components, units(components), strict=True)
    ]


def removed_units(units: Iterable[str]) -> list[dict[str, Any]]:
    """The units that are not wanted any more as files for the module write_files."""
    return [{"path": f"/etc/systemd/system/{unit}", "absent": True} for unit in units]


def unit_commands(compared: Mapping[str, list[str]]) -> list[list[str]]:
    """What files/compare_units.py found, as arguments of systemctl.

    Nothing waits: the units start side by side, and `toolkit verify` waits for all of them. To
    enable a unit reads its file.
    """
    start, restart = compared["start"], compared["restart"]
    commands = [
        ["daemon-reload"] if restart or compared["remove"] else [],
        ["enable", "--now", "--no-block", *start] if start else [],
        ["enable", *restart] if restart else [],
        ["restart", "--no-block", *restart] if restart else [],
    ]
    return [command for command in commands if command]


def secrets(line: Line, components: Iterable[str], executor: str) -> list[str]:
    """Names of the environment variables with secrets that these components need."""
    wanted = {name for name, users in line["secrets"].items() if set(users) & set(components)}
    return [name for name in line["secrets"]
            if name in wanted and (executor == CELERY or "CELERY" not in name)]  # fmt: skip


def environment(chosen: Mapping[str, Any], direct: Iterable[str]) -> dict[str, Any]:
    """airflow_environment; where it names a proxy, with the cluster's own hosts outside of it.

    Programs differ in which spelling of NO_PROXY they read, so both get everything.

    Args:
        direct: addresses and names that are reached without a proxy.
    """
    chosen = {name: value for name, value in chosen.items() if name != "PYTHONPATH"}
    names = {str(name).lower() for name in chosen}
    if not names & PROXIES:
        return chosen
    theirs = [
        str(value).split(",") for name, value in chosen.items() if str(name).lower() == "no_proxy"
    ]
    hosts = [host.strip() for part in [*theirs, direct] for host in part]
    merged = ",".join(dict.fromkeys(host for host in hosts if host))
    return {**chosen, "NO_PROXY": merged, "no_proxy": merged}


def task_environment(line: Line, config: Mapping[str, Any], chosen: Mapping[str, Any]) -> list[str]:
    """Environment= of units that run tasks, but for options that airflow_config sets, under a former name too.

    Args:
        chosen: airflow_unit_options; where they may set PYTHONPATH, nobody knows whether our modules are on it.
    """
    found: list[str] = []
    if "EnvironmentFile" in chosen or "PYTHONPATH" in str(chosen.get("Environment", "")):
        return found
    for name, value in line.get("task_environment", {}).items():
        _, section, option = name.lower().split("__")
        if not any(option in (config.get(one) or {}) for one in (section, "core")):
            found.append(f"{name}={value}")
    return found


def python_path(chosen: Mapping[str, Any]) -> str:
    """PYTHONPATH of Airflow: what airflow_environment names, the DAGs, and our modules.

    airflow_toolkit_releases.py puts the release that a run began with in place of the current one.
    """
    theirs = str(chosen.get("PYTHONPATH", ""))
    dags = "/var/lib/airflow/dags"
    ours = [f"{dags}/current", f"{dags}/release", f"{dags}/release/plugins"]
    return ":".join([*([theirs] if theirs else []), *ours, "/usr/local/lib/airflow-toolkit/python"])


def ignored_dags(major: str, deployed: bool) -> list[str]:
    """Lines of the .airflowignore above all DAGs: what nobody looks for DAGs in.

    Each is there for both syntaxes, as an upgrade reads the file of the release line before it. What is a pattern in
    one fits nothing in the other: [!x] is "not x" in a glob, and "! or x" in a regular expression. They name the folders
    themselves, as Airflow refuses two links to one folder, even where it passes over its files.

    Args:
        major: the release line, "2" or "3".
        deployed: whether the DAGs are deployed; Airflow 3 has a bundle of its own for them.
    """
    names = ["releases", "release", *["current"] * (deployed and major != "2")]
    return [pattern for name in names for pattern in (f"^{name}(/|$)", f"/[!x]{name[1:]}/")]


def dags_host(
    groups: Mapping[str, Iterable[str]],
    hostvars: Mapping[str, Mapping[str, Any]],
    own: str,
    known: Iterable[str],
) -> str:
    """The host that one that joins takes the deployed DAGs from; "" where there is none.

    Args:
        hostvars: of every host, with what tasks/detect.yml has found on those of this run.
        own: the host that joins.
        known: the hosts of this run.
    """
    names = [
        name for group in ("scheduler", "worker") for name in groups.get(group, ()) if name != own
    ]
    for name in names:
        found = hostvars[name].get("_airflow_here") or {}
        if "dags release/dags" in str(found.get("stdout", "")).splitlines():
            return name
    return next((name for name in names if name not in set(known)), "")


# The lock


def lock_header(text: str) -> dict[str, Any]:
    """The YAML in the leading comment lines of a lock; {} where there is none."""
    marked = [line[4:] for line in text.splitlines() if line.startswith("#   ")]
    found = _load("\n".join(marked))
    return found if isinstance(found, dict) else {}


def wanted_packages(
    extras: Iterable[str],
    requirements: Iterable[str],
    driver: Mapping[str, Any],
    line: Line,
    major: str,
    remote_logs: bool,
) -> tuple[list[str], list[str]]:
    """Extras and requirements with what settings bring along, so that nobody has to know an extra.

    Args:
        driver: of the database, from the engine's table; {} for an unknown one.
        line: the release line; {} for an unknown one.
        major: its name.
        remote_logs: whether task logs go to S3.
    """
    more = driver.get("extras", {}).get(major, ())
    return (
        [*extras, *line.get("extras", ()), *more, *["amazon"] * bool(remote_logs)],
        [*requirements, *line.get("requirements", ()), *driver.get("requirements", ())],
    )


def normal_extras(extras: Iterable[str]) -> tuple[str, ...]:
    """Extras in the one spelling (PEP 503) and order that locks are compared in."""
    return tuple(sorted({re.sub(r"[-_.]+", "-", str(extra)).lower() for extra in extras}))


def normal_requirements(requirements: Iterable[str]) -> tuple[str, ...]:
    """Requirements in the one spelling and order that locks are compared in.

    Raises:
        ValueError: one of them is malformed.
    """
    from packaging.requirements import Requirement

    return tuple(sorted({str(Requirement(str(text))) for text in requirements}))


def lock_fits(
    header: Mapping[str, Any], version: str, extras: Iterable[str], requirements: Iterable[str]
) -> bool:
    """Whether a lock was resolved for these settings."""
    return header.get("airflow_version") == version and (
        tuple(header["extras"]),
        tuple(header["requirements"]),
    ) == (normal_extras(extras), normal_requirements(requirements))


def shipped_lock(
    directory: str, version: str, extras: Iterable[str], requirements: Iterable[str]
) -> str:
    """The path of the first lock in a directory that fits; "" when none does."""
    extras, requirements = tuple(extras), tuple(requirements)
    for path in sorted(Path(directory).glob(f"airflow-{version}*.lock")):
        if lock_fits(lock_header(path.read_text(encoding="utf-8")), version, extras, requirements):
            return str(path)
    return ""


def lock_hash(content: bytes) -> str:
    """What distinguishes locks in a release's name: 12 hexadecimal digits of the SHA-256."""
    return hashlib.sha256(content).hexdigest()[:12]


def lock_plan(text: str, line: Line, build_packages: Mapping[str, list[str]]) -> dict[str, Any]:
    """What a lock means for a host.

    Args:
        text: the whole lock.
        build_packages: package without a wheel -> packages of the distribution to compile it with.

    Returns:
        hash: what its releases are named by.
        pythons: minor versions that both release and lock support, newest first.
        build_packages: what has to be installed to build the environment.
        remote_logs: whether the provider that writes logs to S3 is among them.
    """
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)==", text, re.MULTILINE))
    supported = lock_header(text)["pythons"]
    needed = [names for package, names in build_packages.items() if package in pinned]
    return {
        "hash": lock_hash(text.encode()),
        "pythons": [minor for minor in reversed(line["pythons"]) if minor in supported],
        "build_packages": list(dict.fromkeys(name for names in needed for name in names)),
        "remote_logs": "apache-airflow-providers-amazon" in pinned,
    }


# Servers


def engines(roles: str) -> dict[str, Mapping[str, Any]]:
    """The tables of all engines, roles/<engine>/engine.yml, by name."""
    paths = sorted(Path(roles).glob("*/engine.yml"))
    return {path.parent.name: _load(path.read_text(encoding="utf-8")) for path in paths}


def server_units(roles: str) -> list[str]:
    """The unit of every engine on every distribution; to name one that a host lacks does no harm."""
    tables = [
        _load(path.read_text(encoding="utf-8"))
        for name in engines(roles)
        for path in Path(roles).glob(f"{name}/platforms/*.yml")
    ]
    return sorted({f"{table['service']}.service" for table in tables})


def engine(engines: Mapping[str, Mapping[str, Any]], url: str, chosen: str) -> Mapping[str, Any]:
    """The engine that a URL leads to, without one the chosen; {} for one that there is no table of."""
    scheme = url.partition(":")[0].partition("+")[0]
    found = (one for one in engines.values() if scheme in one["schemes"])
    return next(found, {}) if url else engines.get(chosen, {})


def driver(engine: Mapping[str, Any], chosen: str) -> Mapping[str, Any]:
    """The driver that Airflow gets for an engine: the chosen, else the first of its table."""
    drivers = engine.get("drivers", {"": {}})
    found: Mapping[str, Any] = drivers.get(chosen) or next(iter(drivers.values()))
    return found


def database_url(address: str, port: int, user: str, password: str, name: str, scheme: str) -> str:
    """SQLAlchemy's URL of a metadata database."""
    return f"{scheme}://{user}:{quote(str(password), safe='')}@{address}:{port}/{name}"


def broker_url(address: str, port: int, password: str) -> str:
    """Celery's URL of a Redis broker, without a database number."""
    return f"redis://:{quote(str(password), safe='')}@{address}:{port}"


def broker_database(url: str, number: int) -> str:
    """A broker's URL with a database number; Celery refuses TLS without saying how to verify."""
    return f"{url}/{number}" + ("?ssl_cert_reqs=CERT_REQUIRED" if url.startswith("rediss:") else "")


# Sizes and configuration


def sizes(
    memory_mb: int, cpus: int, line: Line, components: Iterable[str], executor: str, slots: int = 0
) -> dict[str, int]:
    """Web workers, the scheduler's parallelism and Celery worker concurrency for one host.

    Args:
        memory_mb: memory of the host in MB.
        cpus: CPUs of the host.
        components: names of the components that run on the host.
        slots: of all Celery workers together (worker_slots); 0 where nobody knows.

    Returns:
        web_workers, parallelism and worker_concurrency; each at least 1.
    """
    parts = [line["components"][name] for name in components]
    # 250 MB for the system, database and broker; 160 MB for one call of Airflow's own CLI.
    fixed = 410 + sum(part["memory_mb"] for part in parts)
    web = next((part["worker_memory_mb"] for part in parts if "worker_memory_mb" in part), 0)
    spare = max(0, int(memory_mb / 1.2) - fixed)
    # A web worker costs as much as four tasks, and more than one slows every start.
    web_workers = max(1, min(4, cpus // 2, spare // 4 // web)) if web else 1
    spare -= web_workers * web
    mine = max(2, min(8 * cpus, 32, spare // line["task_memory_mb"]))
    # A task that is queued finds a slot, so one that waits for minutes was lost (task_queued_timeout).
    parallelism = mine if executor == LOCAL else slots or DEFAULT_PARALLELISM
    return {"web_workers": web_workers, "parallelism": parallelism, "worker_concurrency": mine}


def worker_slots(
    workers: Iterable[str], hostvars: Mapping[str, Mapping[str, Any]], line: Line
) -> int:
    """How many tasks all Celery workers run at once; 0 where the facts of one are not known.

    Args:
        workers: names of the hosts.
        hostvars: of every host, with facts of those in this run.
    """
    found = [_slots(hostvars[host], line) for host in workers]
    return sum(found) if all(found) else 0


def _slots(variables: Mapping[str, Any], line: Line) -> int:
    chosen = int(variables.get("airflow_worker_concurrency") or 0)
    facts = variables.get("ansible_facts") or {}
    if chosen or "memtotal_mb" not in facts:
        return chosen
    named = variables.get("airflow_components") or ()
    mine = components(line, variables["group_names"], named, variables)
    found = sizes(facts["memtotal_mb"], facts["processor_vcpus"], line, mine, CELERY)
    return found["worker_concurrency"]


def configuration(settings: Mapping[str, Any], major: str) -> dict[str, dict[str, Any]]:
    """Sections of airflow.cfg, before the user's own airflow_config.

    Args:
        settings: the role's settings without their prefix, derived ones filled in; with executor
            and web, what airflow_web.py says of the web server.
        major: the release line, "2" or "3".
    """
    parts = [_common(settings)]
    if settings["executor"] == CELERY:
        parts.append(_celery(settings))
    if settings["remote_log_folder"]:
        parts.append(_remote_logs(settings))
    parts.append({"2": _line_2, "3": _line_3}[major](settings))
    found: dict[str, dict[str, Any]] = {}
    for section, options in (item for part in parts for item in part.items()):
        found.setdefault(section, {}).update(options)
    return found


def _common(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        "core": {
            "executor": settings["executor"],
            "dags_folder": "/var/lib/airflow/dags",
            "plugins_folder": "/var/lib/airflow/plugins",
            "parallelism": settings["parallelism"],
            "load_examples": settings["load_examples"],
            "default_timezone": settings["timezone"],
            # A DAG that is deployed twice within 30 s is seen twice.
            "min_serialized_dag_update_interval": 0,
        },
        "logging": {
            "base_log_folder": "/var/log/airflow",
            "worker_log_server_port": settings["worker_log_port"],
            "trigger_log_server_port": settings["triggerer_log_port"],
        },
        "scheduler": {
            "enable_health_check": "True",
            # What a scheduler left that was killed and is back at once: 300 s of Airflow's own.
            "orphaned_tasks_check_interval": 30,
            # Nobody but this host asks, and the answer is for anybody.
            "scheduler_health_check_server_host": "127.0.0.1",
            "scheduler_health_check_server_port": settings["scheduler_health_port"],
        },
    }


def _celery(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        "celery": {"worker_concurrency": settings["worker_concurrency"]},
        # Redis would deliver the message of a task that runs longer a second time.
        "celery_broker_transport_options": {"visibility_timeout": 86400},
        "scheduler": {
            # A message that a dead worker had taken, or that Redis lost, is sent again after 90 to 100 s
            # (600 to 720 s of Airflow's own: 642 s measured).
            "task_queued_timeout": 90,
            "task_queued_timeout_check_interval": 10,
            # Not documented. So often until the task fails, a day; Airflow's own 2 would be 5 minutes, and a
            # task may wait for a worker that ends others, or for a slot of its queue.
            "num_stuck_in_queued_retries": 864,
        },
    }


def _remote_logs(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        "logging": {
            "remote_logging": "True",
            "remote_base_log_folder": settings["remote_log_folder"],
            "remote_log_conn_id": "aws_default",
        }
    }


def _line_2(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    web, host = settings["web"], str(settings["web"]["host"]).strip("[]")
    basic, session = (f"airflow.api.auth.backend.{name}" for name in ("basic_auth", "session"))
    return {
        "webserver": {
            # gunicorn reads an address of IPv6 in brackets, uvicorn one without.
            "web_server_host": f"[{host}]" if ":" in host else host,
            "web_server_port": web["port"],
            "workers": settings["web_workers"],
            "base_url": web["url"],
            # Redirects then have the scheme and host that users have, by X-Forwarded-*.
            "enable_proxy_fix": web["proxied"],
            "default_ui_timezone": settings["timezone"],
        },
        "api": {"auth_backends": f"{basic},{session}"},
        "scheduler": {
            "child_process_log_directory": "/var/log/airflow/scheduler",
            # Tasks of a lost worker run again after 70 to 77 s. A task without the database ends itself after 75 s.
            "scheduler_zombie_task_threshold": 75,
            "zombie_detection_interval": 2,
        },
    }


def _line_3(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    web = settings["web"]
    manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    return {
        "core": {
            "auth_manager": manager,
            "execution_api_server_url": web["execution"],
        },
        "api": {
            "host": str(web["host"]).strip("[]"),
            "port": web["port"],
            "workers": settings["web_workers"],
            "base_url": web["url"],
        },
        "fab": {"enable_proxy_fix": web["proxied"]},
        "dag_processor": {
            # Whoever leaves a bundle out of the list stops the runs that began in it.
            "dag_bundle_config_list": json.dumps(BUNDLES),
            # Each costs two small queries; a deploy is seen as soon.
            "bundle_refresh_check_interval": 1,
            # Releases are removed by `toolkit deploy`, which knows what runs need.
            "stale_bundle_cleanup_interval": 0,
            "dag_bundle_storage_path": "/var/lib/airflow/dag_bundles",
        },
        "logging": {
            "dag_processor_child_process_log_directory": "/var/log/airflow/dag_processor",
        },
        "scheduler": {
            # Tasks of a lost worker run again after 73 to 83 s (300 to 310 s of Airflow's own), and their retry_delay.
            # A heartbeat is 5 s old at most when the api-server goes; it may be away for 60 s and 10 s of its own
            # start, and is asked again within 3 s.
            "task_instance_heartbeat_timeout": 78,
            "task_instance_heartbeat_timeout_detection_interval": 2,
        },
        "workers": {
            # A request is made 36 times, 85 to 104 s long, then the task fails. An api-server that was killed was
            # away for 13 to 42 s; Airflow's own 5 times are 4 to 15 s, and cost 15 tries of 100 tasks.
            "execution_api_retries": 36,
            "execution_api_retry_wait_min": 2.5,
            "execution_api_retry_wait_max": 3,
            # A heartbeat is such a request: after it the task may run elsewhere, so this one ends.
            "max_failed_heartbeats": 1,
        },
        # The token of a queued task expires with task_queued_timeout, and the scheduler may look 10 s later.
        "api_auth": {"jwt_leeway": 30},
    }  # fmt: skip


# The database


def sentence(problem: Mapping[str, str]) -> str:
    """A problem that files/examine_database.py found, for Ansible's message."""
    return f"{problem['what']}; fix: {problem['fix']}"


def import_errors(answer: Mapping[str, Any], version: str) -> list[str]:
    """What files/import_dags.py says is wrong with DAGs under a version; [] when nothing is."""
    found = [f"{one['file']}:{one['line'] or 1}: {one['what']}" for one in answer.get("errors", [])]
    if found:
        return [f"{len(found)} file(s) of DAGs cannot be imported by Airflow {version}", *found]
    cause = answer.get("problem", "" if "dags" in answer else "no reason given")
    return [f"the DAGs could not be imported under Airflow {version}: {cause}"] if cause else []


def stops(lines: Mapping[str, Line]) -> dict[str, list[str]]:
    """The units of every release line, in two steps: a worker's tasks need the web server."""
    records = {name: data for line in lines.values() for name, data in line["components"].items()}
    web = [name for name, data in records.items() if data.get("web")]
    return {"first": units(name for name in records if name not in web), "last": units(records)}


class FilterModule:
    """The functions that the role uses, as Jinja filters."""

    def filters(self) -> dict[str, Any]:
        """Filters by name."""
        return {f"plan_{function.__name__}": function for function in (
            release_lines, executor, components, switches, units, unit_files, removed_units, unit_commands, secrets, environment, task_environment, python_path, ignored_dags, dags_host, wanted_packages, shipped_lock,
            lock_plan, engines, engine, server_units, driver, database_url, broker_url, broker_database, sizes, worker_slots,
            configuration, sentence, import_errors, stops,
        )}  # fmt: skip
