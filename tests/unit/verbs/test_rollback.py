"""Which release a rollback goes to."""

from __future__ import annotations

from typing import Any

import pytest

from toolkit.cluster import Cluster
from toolkit.errors import ToolkitError
from toolkit.hosts.answer import read
from toolkit.hosts.dags import HostDags
from toolkit.verbs.rollback import choose


@pytest.fixture
def cluster(tmp_path: Any) -> Cluster:
    (tmp_path / "hosts.yml").write_text("scheduler: {hosts: {h1: {ansible_host: 203.0.113.7}}}\n")
    return Cluster.load(tmp_path)


def there(current: str, **formers: str | None) -> HostDags:
    """A host: release -> which was before it; None for one that never was current."""
    known = [
        {"id": name, "digest": "", "switched": None if former is None else {"former": former}}
        for name, former in formers.items()
    ]
    return read(HostDags, {"ready": True, "current": current, "releases": known})


def test_the_release_that_was_current_before(cluster: Cluster) -> None:
    # r3 was bad, so that r4 came after r2.
    found = there("r4", r1="", r2="r1", r3="r2", r4="r2", r5=None)
    assert choose(cluster, found, None) == "r2"
    assert choose(cluster, there("r2", r1="", r2="r1", r4="r2"), None) == "r1"


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (there("r1", r1=""), "r1: no release was current before it"),
        (there("r2", r2="r1"), "r2: the release before it, r1, was removed"),
        (there("", r1=None), "DAGs were never deployed here"),
    ],
)
def test_there_is_none_before(cluster: Cluster, found: HostDags, says: str) -> None:
    with pytest.raises(ToolkitError, match=says) as refused:
        choose(cluster, found, None)
    assert "deploy -i" in str(refused.value.fix)


def test_a_release_by_its_id_or_a_part_of_it(cluster: Cluster) -> None:
    found = there(
        "20261127T2-bb", **{"20261126T1-aa": "", "20261127T2-bb": "", "20261127T3-cc": None}
    )
    assert choose(cluster, found, "20261126") == choose(cluster, found, "aa") == "20261126T1-aa"
    for chosen, says in (
        ("2026", "beginning of 2 releases"),
        ("20261127T3-cc", "there is no release"),
        ("x", "there are 20261127T2-bb"),
    ):
        with pytest.raises(ToolkitError, match=says):
            choose(cluster, found, chosen)
