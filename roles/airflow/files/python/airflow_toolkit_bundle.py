"""The DAG bundle of deployed DAGs, for Airflow 3: a version is a release, a folder that never changes.

A run keeps the release that it began with, so that each of its tasks runs the same code on every host.
Facts about what Airflow asks of a bundle: airflow/dag_processing/bundles/base.py, and manager.py beside it,
of Airflow 3.3.2.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import airflow_toolkit_releases as releases
from airflow.dag_processing.bundles.base import BaseDagBundle
from airflow.exceptions import AirflowException

try:
    from airflow.dag_processing.bundles.base import BundleVersion
except ImportError:  # before 3.3 a version is its text
    BundleVersion = str  # type: ignore[assignment,misc]

PATIENCE = 60
"""Seconds until a release has to be on a host that has just joined."""
_reader = 0
"""The process that reads DAGs for the database: nobody else refreshes a bundle."""


class ReleaseDagBundle(BaseDagBundle):
    """DAGs below /var/lib/airflow/dags/releases, at the release that the link names."""

    supports_versioning = True

    def __init__(self, **kwargs: Any) -> None:
        self._interval = 0
        self._release = ""
        super().__init__(**kwargs)
        self._release = self.version or releases.current()

    @property
    def refresh_interval(self) -> int:
        """Seconds between two looks at the files: none as soon as the link leads elsewhere."""
        moved = self.version is None and releases.current() != self._release
        return 0 if moved else self._interval

    @refresh_interval.setter
    def refresh_interval(self, seconds: int) -> None:
        self._interval = seconds

    def initialize(self) -> None:
        """Import from this release from now on.

        But not in the process that reads DAGs: it has one for a callback of an old run, and every file that it reads
        afterwards would import the old code.

        Raises:
            AirflowException: the release is not on this host.
        """
        if self.version not in (None, releases.NONE):
            self._await_folder()
        if self._release and not (self.version and os.getpid() == _reader):
            releases.use(self._release)
        super().initialize()

    def _await_folder(self) -> None:
        # A host that has releases already gets no old one any more.
        deadline = time.monotonic() + (0 if releases.current() else PATIENCE)
        while not self.path.is_dir():
            if time.monotonic() > deadline:
                raise AirflowException(
                    f"DAG release {self._release} is not on this host: its runs had ended when it was removed. "
                    "Clear the task with the option to run with the latest version, or start a new run"
                )
            time.sleep(0.5)

    @property
    def path(self) -> Path:
        """The folder with the DAG files."""
        return Path(releases.folder(self._release or releases.NONE), "dags")

    def get_current_version(self) -> BundleVersion:
        """The id of the release."""
        return BundleVersion(self._release or releases.NONE)

    def refresh(self) -> None:
        """Read where the link leads, and import from there."""
        global _reader
        _reader = os.getpid()
        if self.version is None:
            self._release = releases.current()
            if self._release:
                releases.use(self._release)
