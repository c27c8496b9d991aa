"""Saved labs as far as no podman is asked: what is refused, and what counts as saved."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from toolkit.cluster import Cluster
from toolkit.cluster.hosts_file import spread
from toolkit.commands.lab import command
from toolkit.errors import ToolkitError
from toolkit.providers.lab.hosts import LabHost, Place
from toolkit.providers.lab.saved import Saved, SavedHost, find, saved_labs
from toolkit.providers.lab.snapshot import (
    copy_files,
    inventory_files,
    lab_of,
    refuse_changed,
    refuse_size,
)
from toolkit.verbs.init import create

HOST = SavedHost(
    "lab1", Place("10.88.0.2", 22, "02:00:00:00:00:01"), "localhost/x:lab1", "sha256:1"
)


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Saved:
    """A saved lab, as far as it is files."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    inventory = tmp_path / "inventory"
    (inventory / "group_vars").mkdir(parents=True)
    (inventory / "hosts.yml").write_text("all: {}\n")
    (inventory / "group_vars/vault.yml").write_text("secret\n")
    (inventory / "group_vars/vault.yml").chmod(0o600)
    files = inventory_files(inventory)
    found = Saved("tuesday", "lab", "debian12", "2026-11-26", "digest", inventory, (HOST,), files)
    copy_files(inventory, found.directory / "inventory", files)
    (found.directory / "manifest.json").write_text(json.dumps(asdict(found), default=str))
    return found


def test_a_manifest_is_read_as_it_was_written(saved: Saved) -> None:
    assert saved_labs() == [saved]
    assert find("tuesday") == saved


def test_an_unknown_name_is_answered_with_the_nearest(saved: Saved) -> None:
    with pytest.raises(ToolkitError, match=f"no saved lab teusday; did you mean {saved.name}"):
        find("teusday")


def test_what_an_interrupted_save_leaves_is_no_saved_lab(saved: Saved) -> None:
    saved.directory.rename(saved.directory.with_suffix(".saving"))
    assert saved_labs() == []


def test_the_inventory_is_restored_with_its_modes(saved: Saved, tmp_path: Path) -> None:
    copy_files(saved.directory / "inventory", tmp_path / "back", saved.files)
    assert inventory_files(tmp_path / "back") == saved.files
    assert (tmp_path / "back/group_vars/vault.yml").stat().st_mode & 0o777 == 0o600


def test_an_inventory_that_was_changed_since_is_not_overwritten(saved: Saved) -> None:
    refuse_changed(saved.inventory, saved)  # as it was
    refuse_changed(saved.inventory.with_name("new"), saved)
    (saved.inventory / "group_vars/airflow.yml").write_text("more: 1\n")
    refuse_changed(saved.inventory, saved)
    (saved.inventory / "group_vars/vault.yml").write_text("another\n")
    with pytest.raises(ToolkitError, match="not as it was saved") as refusal:
        refuse_changed(saved.inventory, saved)
    assert refusal.value.where == str(saved.inventory / "group_vars/vault.yml")


def test_another_inventory_is_left_alone(saved: Saved, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/notes").touch()
    with pytest.raises(ToolkitError, match="other files"):
        refuse_changed(tmp_path / "other", saved)


def test_saving_needs_space(tmp_path: Path) -> None:
    refuse_size(1, tmp_path)
    with pytest.raises(ToolkitError, match=r"takes \d+ MB, and .* has \d+ MB free"):
        refuse_size(10**18, tmp_path)


@pytest.mark.parametrize("option", ["--hosts=2", "--image=debian13", "--name=lab"])
def test_a_saved_lab_comes_back_as_it_was(saved: Saved, option: str) -> None:
    done = CliRunner().invoke(command, ["up", "--from", saved.name, option])
    assert isinstance(done.exception, ToolkitError | SystemExit)
    assert "does not go together with --from" in done.output + str(done.exception)


def test_saved_labs_are_listed_for_programs_too(saved: Saved) -> None:
    done = CliRunner().invoke(command, ["list", "--saved", "--json"])
    (listed,) = json.loads(done.stdout)
    assert (listed["name"], listed["hosts"][0]["name"]) == ("tuesday", "lab1")
    assert replace(saved, inventory=Path(listed["inventory"])) == saved


def lab_host(name: str, lab: str, address: str, state: str = "running") -> LabHost:
    return LabHost(name, f"{name}-1", lab, "debian12", state, address, 22, "", "admin", Path("key"))


def test_the_lab_is_the_one_whose_addresses_the_inventory_has(tmp_path: Path) -> None:
    made = create(tmp_path / "prod", groups=spread(["admin@10.88.0.2", "admin@10.88.0.3"]))
    cluster = Cluster.load(made)
    mine = [lab_host("a1", "a", "10.88.0.2"), lab_host("a2", "a", "10.88.0.3")]
    assert lab_of(cluster, [*mine, lab_host("b1", "b", "10.88.0.4")]) == mine
    with pytest.raises(ToolkitError, match="none of them is one"):
        lab_of(cluster, [lab_host("b1", "b", "10.88.0.4")])
    with pytest.raises(ToolkitError, match="they belong to a, b"):
        lab_of(cluster, [mine[0], lab_host("b1", "b", "10.88.0.3")])
    with pytest.raises(ToolkitError, match="a2 does not run"):
        lab_of(cluster, [mine[0], lab_host("a2", "a", "", "exited")])
