"""What many rooms' tests start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.cluster import Cluster
from toolkit.cluster.hosts_file import spread
from toolkit.verbs.init import create


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """A new inventory of one host; records and locks go beside it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Cluster.load(create(tmp_path / "prod", groups=spread(["kim@10.0.0.1"])))
