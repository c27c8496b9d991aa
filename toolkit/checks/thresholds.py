"""Every figure that a rule compares with. Sizes in MB (2**20 bytes), times in seconds.

Measured on Debian 12 with Airflow 3.3.2 and 2.11.2 (docs/performance.md), then rounded up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Disk:
    """What an installation writes below a path.

    Attributes:
        path: the directory; needs on one filesystem are added up.
        user: the component that needs it: "airflow", "postgres", "redis", or "" for every host.
        first_mb: free space for the first installation.
        again_mb: free space for a further run on a host that is installed already.
        inodes: files that are created.
        purpose: what it is for.
    """

    path: str
    user: str
    first_mb: int
    again_mb: int
    inodes: int
    purpose: str


DISKS = (
    Disk("/opt/airflow", "airflow", 1200, 600, 60_000, "two Airflow environments"),
    Disk("/var/lib/airflow", "airflow", 200, 50, 1_000, "DAGs and state"),
    Disk("/var/log/airflow", "airflow", 1000, 200, 5_000, "task logs"),
    Disk("/var/lib/postgresql", "postgres", 1000, 200, 2_000, "the metadata database"),
    Disk("/var/lib/mysql", "mysql", 1500, 300, 2_000, "the metadata database"),
    Disk("/var/lib/redis", "redis", 200, 100, 100, "queued messages"),
    Disk("/var/cache/apt", "", 200, 50, 500, "package lists and downloads"),
    Disk("/usr", "", 300, 50, 5_000, "packages of the distribution"),
    Disk("/tmp", "", 100, 50, 500, "temporary files"),
)

COMFORTABLE_MB = 3700
"""Airflow's documentation asks for 4 GB; a machine sold as 4 GB shows a little less."""

CLOCK_ERROR = 5.0
"""Heartbeats and tokens of one host look expired to another."""
CLOCK_WARNING = 1.0

SERVER_VERSIONS: Mapping[str, tuple[int, ...]] = {
    "PostgreSQL": (13,),
    "MySQL": (8, 0),
    "Redis": (5,),
}
"""The oldest release of each server that Airflow 2.11 and 3.3 both support (their documentation)."""

ARCHITECTURES = ("x86_64", "aarch64")

SUPPORTED: Mapping[tuple[str, str], str] = {
    ("debian", "12"): "Debian 12",
    ("debian", "13"): "Debian 13",
    ("amzn", "2023"): "Amazon Linux 2023",
    ("debian", ""): "Debian's development branch (as a database host: its Python is too new)",
    ("ubuntu", "22.04"): "Ubuntu 22.04",
    ("ubuntu", "24.04"): "Ubuntu 24.04",
    ("ubuntu", "26.04"): "Ubuntu 26.04",
}
"""(ID, VERSION_ID) of os-release(5) -> the name that people use."""

NO_MYSQL = (("debian", "12"), ("debian", "13"), ("amzn", "2023"))
"""Distributions that have MariaDB under names like mysql, and no MySQL."""

BRINGS_PYTHON = ("amzn",)
"""Distributions whose own Python is too old, where role python installs another beside it."""

REFUSED: Mapping[tuple[str, str], str] = {
    ("amzn", "2"): "its support ended in June 2026 and it has no Python that Airflow runs on",
    ("ubuntu", "20.04"): "its support has ended and its Python 3.8 is too old for Airflow",
}
"""Distributions that people do have, and why they will not be supported."""

SYSTEMD = 247
"""The newest option of our units is ProtectProc (systemd.exec(5)); ProtectClock is of 245."""
ENTROPY = 128
"""Bits; kernels from 5.18 on always say 256 (random(4))."""
LOCALES_BUILT_IN = ("c", "posix", "c.utf8")

SWAP_BELOW_MB = 2000
"""Hosts with less memory should have swap."""
BURSTABLE = ("t2.", "t3.", "t3a.", "t4g.")
"""EC2 instance types with CPU credits."""

OPTIONS_SHOWN = 5
"""Unknown options of another installation that are named."""

OPEN_FILES = 65_536
"""LimitNOFILE of the units; systemd does not start one that asks for more than the kernel gives."""
