"""The inventory directory of a cluster that `toolkit ec2` makes."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "prod").mkdir()
    return tmp_path / "prod"
