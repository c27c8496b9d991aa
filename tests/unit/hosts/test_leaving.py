from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from toolkit.cluster import Cluster
from toolkit.hosts.leaving import lines_of

YAML = """all:
  hosts:
    w1: {ansible_host: 203.0.113.1}
    w2:
      ansible_host: 203.0.113.2

      # Its name for the others.
      base_address: 203.0.113.2
    # The last one.
    w3:
      ansible_host: 203.0.113.3
scheduler: {hosts: {w1: }}
worker:
  hosts:
    w2:
    w3:
"""


def lines(directory: Path, name: str) -> list[str]:
    return [str(one).removeprefix(f"{directory}/") for one in lines_of(Cluster.load(directory), name)]  # fmt: skip


def test_what_is_deleted_leaves_a_list_that_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "hosts.yml"
    path.write_text(YAML)
    assert lines(tmp_path, "w2") == [
        "hosts.yml:4-8: w2: and what is below it", "hosts.yml:15: w2:",
    ]  # fmt: skip
    assert lines(tmp_path, "w3")[0] == "hosts.yml:10-11: w3: and what is below it"
    kept = YAML.splitlines()
    for one in reversed(list(lines_of(Cluster.load(tmp_path), "w2"))):
        del kept[one.line - 1 : one.last]
    groups = yaml.safe_load("\n".join(kept))
    assert groups["all"]["hosts"] == {
        "w1": {"ansible_host": "203.0.113.1"}, "w3": {"ansible_host": "203.0.113.3"},
    }  # fmt: skip
    assert groups["worker"]["hosts"] == {"w3": None}


@pytest.mark.parametrize("text", ["[worker]\nw[1:3] ansible_user=kim\n", "worker:\n  hosts:\n    w[1:3]:\n"])  # fmt: skip
def test_a_range_is_named_once(tmp_path: Path, text: str) -> None:
    path = tmp_path / ("hosts.yml" if text.startswith("worker") else "hosts")
    path.write_text(text)
    (found,) = lines(tmp_path, "w2")
    assert "w[1:3]" in found and found.endswith("(write out the others)")
