"""Resolving a lock with uv: one result for all Pythons and machines, as of the release's day.

uv is asked for everything that an index knows, so that its configuration (index, credentials,
certificates) is the only one there is. Nothing it prints about an index goes into the lock.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from difflib import get_close_matches
from functools import cache
from importlib.metadata import Distribution
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from toolkit.cluster import planner
from toolkit.cluster.lockfile import Header, normal_requirements
from toolkit.errors import ToolkitError

CONSTRAINTS_TIMEOUT = 3.0
"""Seconds; the constraints are a help, never a condition."""


@dataclass(frozen=True)
class Release:
    """What the index says about one Airflow release; `uploaded` is None when it does not say."""

    version: Version
    uploaded: date | None
    pythons: tuple[str, ...]
    extras: tuple[str, ...]


def resolve(
    version: str,
    extras: Iterable[str],
    requirements: Iterable[str],
    *,
    index_url: str | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> str:
    """The text of a lock for an Airflow version with these extras and additional requirements.

    Args:
        version: of apache-airflow, for example "3.3.2".
        extras: of apache-airflow.
        requirements: as lines of a requirements file.
        index_url: the package index; None or "" leaves it to uv's configuration.
        say: called with a line about what takes long.

    Raises:
        ToolkitError: no such version or extra, the index is unreachable, or no solution exists.
    """
    extras, requirements = planner.normal_extras(extras), normal_requirements(requirements)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="toolkit-lock-") as scratch:
        uv = _Uv(Path(scratch), index_url)
        say(f"asking the package index about Airflow {version}")
        release = _release(uv, version)
        _refuse_unknown(extras, release)
        say(f"resolving Airflow {version} for Python {', '.join(release.pythons)}")
        constraints = _official_constraints(version, release.pythons)
        source = f"constraints-{version}" if constraints else _as_of(release)
        lock = _compile(uv, release, extras, requirements, constraints)
        header = Header(
            airflow_version=version,
            extras=extras,
            requirements=requirements,
            pythons=release.pythons,
            machines=tuple(_data()["machines"]),
            source=source,
            built_on_hosts=_built_on_hosts(uv, lock, release.pythons),
        )
    say(f"resolved in {time.monotonic() - start:.0f} s from {source}")
    return f"{header}{lock}"


def cutoff(uploaded: date | None) -> date | None:
    """Packages from this day on are left out: the day after the release's own."""
    return uploaded and uploaded + timedelta(days=1)


def pins_for(version: Version, requirements: Iterable[str]) -> list[str]:
    """The pins of lock_pins.yml for this release, less those of packages the user names."""
    named = {_name(requirement) for requirement in requirements}
    return [
        pin["requirement"]
        for pin in _data()["pins"]
        if version in SpecifierSet(pin["airflow"], prereleases=True)
        and _name(pin["requirement"]) not in named
    ]


def supported_pythons(requires_python: str) -> tuple[str, ...]:
    """Those Pythons we know of that a release's metadata allows.

    Airflow means all of 3.13 when it writes `!=3.13`, so the minor version itself is compared.
    """
    allowed = SpecifierSet(requires_python)
    return tuple(python for python in _data()["pythons"] if python in allowed)


@cache
def _data() -> Any:
    return yaml.safe_load(
        files("toolkit.cluster").joinpath("lock_pins.yml").read_text(encoding="utf-8")
    )


def _name(requirement: str) -> str:
    return str(canonicalize_name(Requirement(requirement).name))


class UnsolvableError(ToolkitError):
    """The index answered, and what was asked for does not exist or contradicts itself."""


class _Uv:
    """uv, run in a scratch directory of its own; the index goes by environment, not by argv."""

    def __init__(self, scratch: Path, index_url: str | None) -> None:
        from uv import find_uv_bin

        self.scratch = scratch
        self._binary = find_uv_bin()
        index = {"UV_DEFAULT_INDEX": index_url} if index_url else {}
        self._environment = os.environ | index | {"UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"}

    def run(self, *arguments: str, given: str = "") -> str:
        """The standard output of `uv pip ...`; `given` is its standard input.

        Raises:
            UnsolvableError: no set of packages is what was asked for.
            ToolkitError: the index did not answer, or uv cannot read what was asked.
        """
        done = subprocess.run(
            [self._binary, "pip", *arguments, "--python", sys.executable, "--no-progress"],
            cwd=self.scratch,
            env=self._environment,
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 0:
            return done.stdout
        if "No solution found" in done.stderr:
            raise UnsolvableError(
                f"no set of packages is what was asked for: {causes(done.stderr)}"
            )
        if re.search("request|fetch", done.stderr):
            raise ToolkitError(
                f"the package index did not answer: {causes(done.stderr)}",
                fix="check the network and python_index_url (or uv's own configuration); behind a "
                "proxy with its own certificate, name that in SSL_CERT_FILE",
            )
        raise ToolkitError(f"uv cannot resolve this: {causes(done.stderr)}")


def causes(stderr: str) -> str:
    """uv's account of a failure as one line, without the hints meant for its own users."""
    lines = [line.strip() for line in stderr.splitlines()]
    kept: list[str] = []
    for line in lines:
        if line.startswith("hint:"):
            break
        if line and not line.startswith("warning:"):
            kept.append(re.sub(r"^(error|cause):\s*", "", line))
    text = "; ".join(kept)
    return re.sub(r"^No solution found[^;]*; ", "", text).replace(".; ", ". ")


def _release(uv: _Uv, version: str) -> Release:
    try:
        parsed = Version(version)
    except InvalidVersion:
        raise ToolkitError(
            f"{version!r} is not a version of Airflow",
            fix='set airflow_version to a version such as "3.3.2"',
        ) from None
    asked = f"apache-airflow=={version}"
    newest = _data()["pythons"][-1]
    options = ("--no-deps", "--python-version", newest, "--format", "pylock.toml")
    try:
        pylock = uv.run("compile", "-", *options, given=asked)
    except UnsolvableError:
        near = " and ".join(_nearest(uv, version))
        raise ToolkitError(
            f"the package index has no Airflow {version}"
            + (f"; nearest to it: {near}" if near else ", nor any other"),
            fix="set airflow_version to one that exists" if near else "check python_index_url",
        ) from None
    target = uv.scratch / "airflow"
    uv.run("install", asked, "--no-deps", "--only-binary", ":all:", "--target", str(target))
    metadata = Distribution.at(next(target.glob("apache_airflow-*.dist-info"))).metadata
    return Release(
        version=parsed,
        uploaded=_uploaded(tomllib.loads(pylock)),
        pythons=supported_pythons(metadata["Requires-Python"] or ""),
        extras=planner.normal_extras(metadata.get_all("Provides-Extra") or ()),
    )


def _uploaded(pylock: Mapping[str, Any]) -> date | None:
    (package,) = pylock["packages"]
    times = [file["upload-time"] for file in package.get("wheels", ()) if "upload-time" in file]
    return max(times).date() if times else None


def _nearest(uv: _Uv, version: str) -> Iterator[str]:
    for relation, end in (("<", "highest"), (">", "lowest")):
        asked = f"apache-airflow{relation}{version}"
        options = ("--no-deps", "--no-header", "--no-annotate", "--resolution", end)
        with suppress(UnsolvableError):
            answer = uv.run("compile", "-", *options, given=asked).strip().rpartition("==")[2]
            if not Version(answer).is_prerelease:
                yield answer


def _refuse_unknown(extras: Iterable[str], release: Release) -> None:
    if not release.pythons:
        raise ToolkitError(
            f"Airflow {release.version} runs on none of Python {', '.join(_data()['pythons'])}",
            fix="set airflow_version to a release that does",
        )
    dropped = _dropped(release.version)
    for extra in extras:
        if extra not in release.extras and extra not in dropped:
            near = get_close_matches(extra, release.extras, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ToolkitError(
                f"Airflow {release.version} has no extra {extra!r}{hint}",
                fix="correct or remove it in airflow_extras",
            )


def _dropped(version: Version) -> set[str]:
    return {
        row["extra"]
        for row in _data()["dropped_extras"]
        if version in SpecifierSet(row["airflow"], prereleases=True)
    }


def _official_constraints(version: str, pythons: Iterable[str]) -> list[str]:
    """Airflow's constraints for every one of these Pythons, or [] where one cannot be read."""
    lines: list[str] = []
    for python in pythons:
        url = _data()["constraints_url"].format(version=version, python=python)
        try:
            with urllib.request.urlopen(url, timeout=CONSTRAINTS_TIMEOUT) as answer:
                text = answer.read().decode()
        except (urllib.error.URLError, TimeoutError, UnicodeDecodeError):
            return []
        pins = [line.strip() for line in text.splitlines() if "==" in line and line[0] != "#"]
        lines += [f"{pin} ; python_full_version == '{python}.*'" for pin in pins]
    return lines


def _as_of(release: Release) -> str:
    return f"index as of {cutoff(release.uploaded) or datetime.now(UTC).date()}"


def _compile(
    uv: _Uv,
    release: Release,
    extras: Iterable[str],
    requirements: Iterable[str],
    constraints: Iterable[str],
) -> str:
    wanted = ",".join(extra for extra in extras if extra not in _dropped(release.version))
    asked = [f"apache-airflow[{wanted}]=={release.version}", *requirements]
    pins = pins_for(release.version, requirements)
    own_word = {_name(line) for line in [*requirements, *pins]}
    official = [line for line in constraints if _name(line) not in own_word]
    (uv.scratch / "constraints.txt").write_text("\n".join([*pins, *official]), encoding="utf-8")
    (uv.scratch / "pyproject.toml").write_text(_environments(release.pythons), encoding="utf-8")
    arguments = [
        *("compile", "-", "--universal", "--generate-hashes", "--python-version"),
        *(release.pythons[0], "--constraints", "constraints.txt"),
        *("--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"),
    ]
    day = cutoff(release.uploaded)
    if day:
        arguments += ["--exclude-newer", f"{day}T00:00:00Z"]
        # Who names an exact version means that one, however new it is.
        for requirement in map(Requirement, requirements):
            if any(part.operator in {"==", "==="} for part in requirement.specifier):
                arguments += ["--exclude-newer-package", f"{requirement.name}=false"]
    try:
        return uv.run(*arguments, given="\n".join(asked))
    except UnsolvableError as error:
        raise ToolkitError(
            f"{', '.join(asked)}: {error.what}",
            fix="relax airflow_requirements; packages are taken as of the day after Airflow's "
            f"release ({day}), except those that name an exact version with ==",
        ) from None


def _environments(pythons: tuple[str, ...]) -> str:
    """A project file that limits the resolution to Linux and to these Pythons."""
    major, minor = pythons[-1].split(".")
    marker = f"sys_platform == 'linux' and python_full_version < '{major}.{int(minor) + 1}'"
    return f'[tool.uv]\nenvironments = ["{marker}"]\n'


def _built_on_hosts(uv: _Uv, lock: str, pythons: Iterable[str]) -> tuple[str, ...]:
    """Packages of the lock without a wheel for some Python and machine it is meant for."""
    (uv.scratch / "lock.txt").write_text(lock, encoding="utf-8")
    options = ("--universal", "--no-deps", "--format", "pylock.toml", "-o", "pylock.toml")
    uv.run("compile", "lock.txt", *options, "--python-version", next(iter(pythons)))
    packages = tomllib.loads((uv.scratch / "pylock.toml").read_text(encoding="utf-8"))["packages"]
    targets = [(python, machine) for python in pythons for machine in _data()["machines"]]
    return tuple(
        sorted(
            {
                package["name"]
                for python, machine in targets
                for tags in [frozenset(_tags(python, machine))]
                for package in packages
                if _is_for(package, python, machine)
                and not any(not tags.isdisjoint(_wheel_tags(w)) for w in package.get("wheels", ()))
            }
        )
    )


def _is_for(package: Mapping[str, Any], python: str, machine: str) -> bool:
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "platform_machine": machine,
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
    }
    return "marker" not in package or Marker(package["marker"]).evaluate(environment)


def _wheel_tags(wheel: Mapping[str, Any]) -> frozenset[Tag]:
    filename = wheel.get("name") or wheel["url"].rpartition("/")[2]
    return parse_wheel_filename(filename)[3]


def _tags(python: str, machine: str) -> Iterator[Tag]:
    major, minor = (int(part) for part in python.split("."))
    platforms = [f"manylinux_2_{n}_{machine}" for n in range(5, _data()["oldest_glibc"] + 1)]
    platforms += [f"{old}_{machine}" for old in ("manylinux2014", "manylinux2010", "manylinux1")]
    abi = f"cp{major}{minor}"
    yield from cpython_tags((major, minor), abis=[abi], platforms=platforms)
    yield from compatible_tags((major, minor), interpreter=abi, platforms=platforms)
