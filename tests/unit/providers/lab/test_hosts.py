"""What a lab refuses before it touches podman or any file.

Names are judged by the pure function: where `up` or `down` did not refuse one, the test itself
would remove real hosts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.providers import lab
from toolkit.providers.lab.hosts import refuse_name

PATHS = ("../..", "..", ".", "", "a/b", "/x")
NO_HOST_NAMES = ("Lab", "a b", "-a", "a-", "1a", "a_b", "a\n", "x" * 60)


@pytest.mark.parametrize("name", PATHS + NO_HOST_NAMES)
def test_a_lab_needs_a_name_that_hosts_can_have(name: str) -> None:
    with pytest.raises(ToolkitError, match="name"):
        refuse_name(name)


@pytest.mark.parametrize("name", ["lab", "a", "bench-four", "e2e1"])
def test_ordinary_names_are_fine(name: str) -> None:
    refuse_name(name)


def test_down_never_deletes_by_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # This name matches no label, and leads no further than tmp_path when it is not refused.
    kept = tmp_path / "state" / "other"
    kept.mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with pytest.raises(ToolkitError, match="name"):
        lab.down("../..")
    assert kept.is_dir()
