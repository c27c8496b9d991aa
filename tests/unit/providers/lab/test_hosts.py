"""What a lab refuses before it touches podman or any file.

Names are judged by the pure function: where `up` or `down` did not refuse one, the test itself
would remove real hosts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.errors import ToolkitError
from toolkit.providers import lab
from toolkit.providers.lab.hosts import groups, refuse_name
from toolkit.providers.lab.images import IMAGES

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


def test_up_leaves_another_inventory_alone(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts.yml"
    hosts.write_text("all: {hosts: {theirs: {}}}\n")
    with pytest.raises(ToolkitError, match="not written for lab mine") as refusal:
        lab.up("mine", 1, "debian12", tmp_path, lambda _: None)
    assert "-i" in str(refusal.value.fix)
    assert hosts.read_text() == "all: {hosts: {theirs: {}}}\n"


def test_a_recipe_has_the_hooks_that_the_build_calls() -> None:
    for image in IMAGES.values():
        names = {path.name for path in image.recipe_files()}
        assert not names or {"setup", "customize"} <= names
    assert IMAGES["al2023-like"].recipe_files()
    assert not IMAGES["debian12"].recipe_files()


def test_which_host_is_in_which_group_follows_from_their_number() -> None:
    assert groups(["a"]) == {"metadata_db": ["a"], "scheduler": ["a"], "webserver": ["a"]}
    assert groups(["a", "b"])["worker"] == ["b"]
    four = groups(["a", "b", "c", "d"])
    assert (four["broker"], four["scheduler"], four["worker"]) == (["a"], ["b"], ["c", "d"])
