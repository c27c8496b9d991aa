"""What keeps a release of DAGs from being deployed: what its requirements say, and what Airflow found in it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from toolkit.checks.common import few, listed
from toolkit.cluster.lockfile import outside_index
from toolkit.findings import Finding
from toolkit.hosts.gate import Gate, KnownDag
from toolkit.onhost.in_airflow.dags import BUNDLE
from toolkit.onhost.releases import CURRENT, RELEASES

_COPIED = ("current/", f"{CURRENT}/")
"""Where files of DAGs are that somebody copied, or that Airflow 2 has deployed."""
_PINS = "airflow_requirements in group_vars/all/airflow.yml, then: toolkit lock -i {0} && toolkit provision -i {0}"


def requirements(
    text: str,
    pinned: Mapping[str, tuple[str, ...]],
    pythons: Iterable[str],
    place: str,
    inventory: str,
) -> Iterator[Finding]:
    """Requirements of a project that the lock does not have.

    Args:
        text: of requirements.txt.
        pinned: package -> its versions in the lock.
        pythons: minor versions that the lock is for.
        place: the file's name, for people.
        inventory: as the user names it.
    """
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub(r"(^|\s)#.*$", "", line)
        written = re.split(r"\s--", plain)[0].rstrip("\\ \t").strip()
        if not written or written.startswith("-"):
            continue  # options are pip's
        try:
            wanted = Requirement(written)
        except InvalidRequirement:
            problem = "is no requirement that a lock can have"
        else:
            found = pinned.get(canonicalize_name(wanted.name), ())
            if any(wanted.specifier.contains(Version(one), prereleases=True) for one in found):
                continue
            if wanted.marker and not any(map(wanted.marker.evaluate, _environments(pythons))):
                continue  # not for these hosts
            problem = f"is {listed(found)} in the lock" if found else "is not in the lock"
        outside = outside_index(written)
        yield Finding.of(
            "dags.requirement",
            what=f"{place}:{number}: {written} {problem}",
            fix="a lock has packages of an index only: build a wheel of it, and upload it to an index of yours "
            "(python_index_url)"
            if outside
            else f"add {written!r} to {_PINS.format(inventory)}",
        )


def included(text: str) -> list[str]:
    """The files that a requirements.txt includes, as they are written there."""
    return re.findall(r"^\s*(?:-r|--requirement)[\s=]+([^\s#]+)", text, re.M)


def _environments(pythons: Iterable[str]) -> Iterator[dict[str, str]]:
    """What markers are evaluated for: the hosts, whatever this machine is."""
    for minor in pythons:
        yield {"python_version": minor, "python_full_version": f"{minor}.0", "sys_platform": "linux",
               "platform_system": "Linux", "os_name": "posix", "implementation_name": "cpython"}  # fmt: skip


def gate(found: Gate, host: str, inventory: str, *, removal: bool = False) -> Iterator[Finding]:
    """What stands against making a release the current one.

    Args:
        found: what Airflow says of it; without an error of its own.
        host: where it was imported.
        inventory: as the user names it.
        removal: whether DAGs may disappear.
    """
    for file, text in found.errors.items():
        yield _import_error(file, text, host, inventory)
    if not found.dags and not found.errors:
        yield Finding.of(
            "dags.none",
            host=host,
            what=f"Airflow finds no DAG in {found.files} file(s)",
            fix="a file with a DAG has the words dag and airflow in it, and no pattern of .airflowignore fits it",
        )
    yield from _elsewhere(found, host)
    gone = [] if removal else disappearing(found)
    if gone:
        running = sum(one.runs for one in gone)
        yield Finding.of(
            "dags.removed",
            host=host,
            what=f"{len(gone)} DAG(s) would disappear: {few(sorted(one.dag for one in gone))}"
            + (f"; {running} of their runs are not finished" if running else ""),
            fix=f"toolkit deploy -i {inventory} --allow-removal takes them away; what ran of them stays in Airflow",
        )
    if found.tests and found.tests.status:
        yield _tests(found.tests.output, host, inventory)


def is_ours(one: KnownDag) -> bool:
    """Whether a DAG that Airflow has is from where DAGs are deployed, or from where they were copied before."""
    return one.bundle == BUNDLE or is_copied(one)


def is_copied(one: KnownDag) -> bool:
    """Whether it is from where DAGs are copied; in Airflow 2 that is where they are deployed as well."""
    return one.bundle != BUNDLE and one.file.startswith(_COPIED)


def disappearing(found: Gate) -> list[KnownDag]:
    """The DAGs that Airflow has and the release has not; those of a file with an error may be in it."""
    return [
        one
        for one in found.known
        if is_ours(one) and one.dag not in found.dags and _file(one) not in found.errors
    ]


def _file(one: KnownDag) -> str:
    """The file of a DAG of ours as a release has it."""
    start = next((start for start in _COPIED if one.file.startswith(start)), "")
    return one.file.removeprefix(start)


def _elsewhere(found: Gate, host: str) -> Iterator[Finding]:
    """DAG ids that a DAG of another bundle has."""
    for one in found.known:
        if not is_ours(one) and one.dag in found.dags:
            yield Finding.of(
                "dags.duplicate",
                host=host,
                what=f"{found.dags[one.dag]}: DAG {one.dag} exists already, in {one.file or one.bundle}",
                fix="give one of them another dag_id",
            )


def _tests(output: str, host: str, inventory: str) -> Finding:
    missing = "No module named pytest" in output
    lines = [line for line in output.splitlines() if line.strip()]
    return Finding.of(
        "dags.tests",
        host=host,
        what="pytest is not in Airflow's environment"
        if missing
        else "the tests fail:\n" + "\n".join(lines[-30:]),
        fix=f"add pytest to {_PINS.format(inventory)}"
        if missing
        else "correct them, or leave --pytest out",
    )


def _import_error(file: str, text: str, host: str, inventory: str) -> Finding:
    place, what = described(file, text)
    duplicate = re.search(r"Ignoring DAG (\S+) from .*? - also found in (\S+)", text, re.S)
    timeout = re.search(r"DagBag import timeout for .*? after ([\d.]+)s", text, re.S)
    missing = re.search(r"No module named '([^']+)'", text)
    if duplicate:
        other = duplicate[2].partition("/dags/")[2].partition("/dags/")[2] or duplicate[2]
        return Finding.of(
            "dags.duplicate",
            host=host,
            what=f"{file}: DAG {duplicate[1]} is in {other} as well",
            fix="give one of them another dag_id",
        )
    if timeout:
        return Finding.of(
            "dags.timeout",
            host=host,
            what=f"{place}: the import was stopped after {float(timeout[1]):.0f} s",
            fix="move what takes long into a task; or a longer time: airflow_config: {core: {dagbag_import_timeout: 60}}",
        )
    fix = f"correct {file}"
    if missing:
        fix = (
            f"add the package that has {missing[1].partition('.')[0]} to {_PINS.format(inventory)}"
        )
    return Finding.of("dags.import_error", host=host, what=f"{place}: {what}", fix=fix)


def described(file: str, text: str) -> tuple[str, str]:
    """A file with the line where its import failed, and what Python says last."""
    named = re.findall(r'File "([^"]+)", line (\d+)', text)
    own = [line for path, line in named if path.endswith(f"/dags/{file}")]
    inner = [(path, line) for path, line in named if path.startswith(f"{RELEASES}/")]
    lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    what = lines[-1] if lines else "no reason given"
    if own:
        return f"{file}:{own[-1]}", what
    if inner:
        path, line = inner[-1]
        return file, f"{what} ({Path(*Path(path).parts[7:])}:{line})"
    return file, what
