"""--limit selects what Ansible's own inventory manager selects."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.cluster import Cluster
from toolkit.cluster.pattern import match
from toolkit.errors import ToolkitError

HOSTS = """\
worker: {hosts: {w2: , w1: , w3: }}
scheduler: {hosts: {s1: , w3: }}
all_of_them: {children: {worker: , db: }}
db: {hosts: {db-1.example.org: , '10.0.0.7': }}
ungrouped: {hosts: {lonely: , 'fe80::1': }}
s1: {hosts: {w1: }}
"""
PARTS = [
    "worker", "scheduler", "all", "*", "w*", "w?", "w[12]", "~w", "~.*1$", "~(s|w)[12]", "w1", "s1",
    "all_of_them", "db*", "10.0.0.7", "*.example.org", "ungrouped", "ungr*", "lonely", "nosuch",
    "a*", "db",
]  # fmt: skip
SUBSCRIPTS = ["", "[0]", "[1]", "[-1]", "[0:1]", "[1:]", "[0-1]", "[0:9]", "[1:0]", "[2:2]", "[-2]"]
PART = st.builds(lambda kind, part, end: f"{kind}{part}{end}", st.sampled_from(["", "", "&", "!"]),
                 st.sampled_from(PARTS), st.sampled_from(SUBSCRIPTS))  # fmt: skip
PATTERNS = st.builds(
    lambda parts, between: between.join(parts),
    st.lists(PART, min_size=1, max_size=4),
    st.sampled_from([",", ":", ", ", " "]),
)
Selects = Callable[[str], set[str] | None]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("patterns")
    (found / "hosts.yml").write_text(HOSTS)
    return found


@pytest.fixture(scope="module")
def ansible(directory: Path) -> Selects:
    """What Ansible selects; None where it refuses."""
    from ansible.errors import AnsibleError
    from ansible.inventory.manager import InventoryManager
    from ansible.parsing.dataloader import DataLoader

    manager: Any = InventoryManager(DataLoader(), sources=[str(directory / "hosts.yml")])

    def select(pattern: str) -> set[str] | None:
        try:
            manager.subset(pattern)
            return {str(host) for host in manager.get_hosts("all")}
        except (AnsibleError, IndexError):
            return None
        finally:
            manager.subset(None)

    return select


def ours(directory: Path) -> Selects:
    cluster = Cluster.load(directory)
    names = tuple(host.name for host in cluster.inventory_hosts)

    def select(pattern: str) -> set[str] | None:
        try:
            return match(pattern, names, cluster.members)
        except ToolkitError:
            return None

    return select


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(PATTERNS)
def test_a_pattern_selects_what_it_selects_in_ansible(
    directory: Path, ansible: Selects, pattern: str
) -> None:
    assert ours(directory)(pattern) == ansible(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["scheduler[0]", "scheduler[0:2]", "scheduler[-1]", "worker[0]", "worker[1:]", "all[0]",
     "all[3:5]", "all_of_them[3]", "w*[1]", "worker[9]", "worker[7:9]", "fe80::1", "w1:22", "w1:w2",
     "worker[0]:scheduler", "worker[0:1]:&scheduler", "!worker", "&worker:!w1", "w[12],s1", "~w.",
     "s1", "~[", "w1 w2", "localhost"],
)  # fmt: skip
def test_patterns_of_people(directory: Path, ansible: Selects, pattern: str) -> None:
    found = ours(directory)(pattern)
    if pattern == "~[":  # Ansible drops the bracket, and takes "~" for every host
        assert found is None
    else:
        assert found == ansible(pattern)


def test_a_file_of_patterns(directory: Path, ansible: Selects, tmp_path: Path) -> None:
    path = tmp_path / "some.retry"
    path.write_text("w1\n\n  scheduler[0]\n!w3\n")
    for pattern in (f"@{path}", f"db,@{path}", f"@{path}:!w1"):
        assert ours(directory)(pattern) == ansible(pattern)
