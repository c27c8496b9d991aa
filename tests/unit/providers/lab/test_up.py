"""What `lab up` writes, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.providers import lab
from toolkit.providers.lab.up import groups


def test_up_leaves_another_inventory_alone(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("all: {hosts: {theirs: {}}}\n")
    with pytest.raises(ToolkitError, match="not written for lab mine") as refusal:
        lab.up("mine", 1, "debian12", tmp_path, lambda _: None)
    assert "-i" in str(refusal.value.fix)
    assert hosts.read_text() == "all: {hosts: {theirs: {}}}\n"


def test_which_host_is_in_which_group_follows_from_their_number() -> None:
    assert groups(["a"]) == {"metadata_db": ["a"], "scheduler": ["a"], "webserver": ["a"]}
    assert groups(["a", "b"])["worker"] == ["b"]
    four = groups(["a", "b", "c", "d"])
    assert (four["broker"], four["scheduler"], four["worker"]) == (["a"], ["b"], ["c", "d"])
