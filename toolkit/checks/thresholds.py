"""Every figure that a rule compares with. Sizes in MB (2**20 bytes), times in seconds.

Measured on Debian 12 with Airflow 3.3.2 and 2.11.2 (docs/performance.md), then rounded up.
"""

from __future__ import annotations

COMFORTABLE_MB = 3700
"""Airflow's documentation asks for 4 GB; a machine sold as 4 GB shows a little less."""

HEARTBEAT = 30.0
"""Airflow's own threshold of health; a component writes one every 5 s."""

CLOCK_ERROR = 5.0
"""Heartbeats and tokens of one host look expired to another."""
CLOCK_WARNING = 1.0

ARCHITECTURES = ("x86_64", "aarch64")

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

RESTARTS = 5
"""Restarts by systemd that are no accident any more; a boot before the database's takes two or three."""
RESTART_LOOP = 60.0
"""A unit that systemd has restarted so often, the last time within this, is in a loop."""
RESTARTED_LATELY = 600.0

QUEUED = 60.0
"""A worker with a free slot takes a task within a second. After 90 to 100 s Airflow queues it again, with a new age."""
UNCONSUMED = 30.0
"""A queue without any worker; one that is restarted is back by then."""
SWITCHING = 10.0
"""Hosts switch to a release of DAGs within a second of each other."""
SETTLING = 60.0
"""An active unit may take so long until it listens, consumes and has a heartbeat."""

DISK_WARNING = (2000, 0.10)
"""MB, and the part of the filesystem: the smaller of both has to be free."""
DISK_ERROR = (500, 0.025)
INODES_WARNING = 10_000
INODES_ERROR = 1_000
MEMORY_WARNING = 0.05
"""The part of the memory that has to be available."""
MEMORY_ERROR = 0.02

CERTIFICATE_DAYS = 21
"""Let's Encrypt's client renews 30 days before the end, so its timer has failed by then."""
