"""What the machine is spared after lab hosts were removed."""

from __future__ import annotations

import os
from pathlib import Path

CACHES = Path("/proc/sys/vm/drop_caches")


def settle() -> None:
    """Forget inode tables, where we may.

    ext4 passes over inodes deleted in the last minutes one by one, as long as it has their table in
    memory (fs/ext4/ialloc.c, recently_deleted): the next environment took 18 s to build, not 7.
    """
    if os.access(CACHES, os.W_OK):
        os.sync()
        CACHES.write_text("1")
