"""What an installation writes, and below which paths.

Sizes in MB (2**20 bytes), measured on Debian 12 with Airflow 3.3.2 and 2.11.2
(docs/performance.md), then rounded up. An engine's are in its engine.yml.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from toolkit.cluster.tables import (
    Disk,
    OsRelease,
    cache_directories,
    data_directories,
    engines,
    words,
)

AIRFLOW: Mapping[str, Disk] = {
    "/opt/airflow": Disk(1200, 600, 60_000, "two Airflow environments"),
    "/var/lib/airflow": Disk(200, 50, 1_000, "DAGs and state"),
    "/var/log/airflow": Disk(1000, 200, 5_000, "task logs"),
}
EVERY_HOST: Mapping[str, Disk] = {
    "/usr": Disk(300, 50, 5_000, "packages of the distribution"),
    "/tmp": Disk(100, 50, 500, "temporary files"),
}
_DOWNLOADS = Disk(200, 50, 500, "package lists and downloads")


def paths() -> tuple[str, ...]:
    """Every path that an installation may write to, on whichever distribution."""
    return (*AIRFLOW, *data_directories(), *cache_directories(), *EVERY_HOST)


def disks(
    host: OsRelease | None, servers: Iterable[str], *, airflow: bool
) -> Iterator[tuple[str, Disk]]:
    """Where a host of this distribution writes how much.

    Args:
        host: its os-release.
        servers: names of the engines that are installed on it.
        airflow: whether it runs a component of Airflow.
    """
    if airflow:
        yield from AIRFLOW.items()
    for engine in (engines()[name] for name in servers):
        platform = engine.on(host)
        if platform:
            yield platform.data_directory, engine.disk
    yield words(host).cache_directory, _DOWNLOADS
    yield from EVERY_HOST.items()
