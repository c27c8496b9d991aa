"""An Airflow that exists already: what is wrong with it is reported, and it is left alone."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterator
from functools import partial

from toolkit.checks.common import answering, host_rule, listed, note, warning
from toolkit.checks.thresholds import OPTIONS_SHOWN
from toolkit.cluster import Cluster
from toolkit.cluster.releases import Known, known
from toolkit.findings import Finding
from toolkit.hosts.facts import Installation, Probe

_RELEASES = ("2.11.2", "3.3.2")
"""Any of each line, as what is installed there is not known."""


@host_rule
def installations(cluster: Cluster, probe: Probe) -> Iterator[Finding]:
    """Everything about each of them."""
    for host, facts in answering(cluster, probe):
        for found in facts.existing:
            yield _home(host.name, found)
            if not found.problem:
                yield from _database(host.name, found)
                yield from _secrets(host.name, found)
                yield from _service(host.name, found)
                yield from _options(host.name, found)


def _home(host: str, found: Installation) -> Finding:
    cause = f", whose airflow.cfg cannot be read: {found.problem}" if found.problem else ""
    return note(
        "existing.airflow_home",
        host=host,
        what=f"{found.home} is the AIRFLOW_HOME of another installation{cause}",
        fix="carry over what you need: airflow connections export FILE, airflow variables export "
        f"FILE; then: sudo rm -r {found.home}",
    )


def _database(host: str, found: Installation) -> Iterator[Finding]:
    fix = "carry over connections and variables; this cluster has PostgreSQL or MySQL"
    if found.database == "sqlite":
        yield warning(
            "existing.sqlite",
            host=host,
            what=f"the Airflow in {found.home} keeps its data in SQLite",
            fix=fix,
        )
    if found.executor.rpartition(".")[2] == "SequentialExecutor":
        yield warning(
            "existing.sequential",
            host=host,
            what=f"the Airflow in {found.home} has the SequentialExecutor",
            fix="carry over connections and variables; this cluster has LocalExecutor or Celery",
        )


def _secrets(host: str, found: Installation) -> Iterator[Finding]:
    path = f"{found.home}/airflow.cfg"
    if found.default_password:
        yield warning(
            "existing.default_password",
            host=host,
            what=f"{path} has a database or broker password that everybody tries first",
            fix="change it in the server and in the file: ALTER USER ... PASSWORD ...",
        )
    if found.readable:
        yield warning(
            "existing.readable_secrets",
            host=host,
            what=f"{path} has mode {found.mode:04o}, and secrets in it",
            fix=f"sudo chmod 600 {path}",
        )


def _service(host: str, found: Installation) -> Iterator[Finding]:
    if not found.units:
        yield warning(
            "existing.no_units",
            host=host,
            what=f"no systemd unit runs the Airflow in {found.home}",
            fix="if it is in use, write units for it; if not: sudo rm -r " + found.home,
        )
    for path in found.stale_pid_files:
        yield note(
            "existing.pid_file",
            host=host,
            what=f"{path} names a process that is gone",
            fix=f"sudo rm {path}",
            remedy=f"rm -f -- {shlex.quote(path)}",
        )


def _options(host: str, found: Installation) -> Iterator[Finding]:
    releases = [release for release in map(known, _RELEASES) if release]
    # Names of sections may have dots, those of options have none.
    names = [name.rpartition(".")[::2] for name in found.options]
    unknown = min(([n for n in names if not _is_known(r, *n)] for r in releases), key=len)
    if unknown:
        shown = [_written(releases, *name) for name in unknown[:OPTIONS_SHOWN]]
        more = len(unknown) - len(shown)
        yield warning(
            "existing.unknown_options",
            host=host,
            what=f"{found.home}/airflow.cfg has options that Airflow does not know: "
            + listed([*shown, *([f"{more} more"] if more else [])]),
            fix="correct them before you carry them over into airflow_config",
        )


def _is_known(release: Known, section: str, option: str) -> bool:
    name = f"{section}.{option}"
    # A section that is not there is a provider's that we do not have.
    return (
        section not in release.options
        or release.kind(section, option) is not None
        or name in release.moved
        or name in release.removed
    )


def _written(releases: list[Known], section: str, option: str) -> str:
    close = partial(difflib.get_close_matches, option, n=1, cutoff=0.7)
    near = [match for r in releases for match in close(possibilities=r.options.get(section, ()))]
    return f"{section}.{option}" + (f" (for {near[0]}?)" if near else "")
