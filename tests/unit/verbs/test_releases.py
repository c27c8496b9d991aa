"""Which releases of DAGs go: what is needed stays, however old it is."""

from __future__ import annotations

import pytest

from toolkit.hosts.dags import HostDags, Release, Switched
from toolkit.verbs.releases import Needed, superfluous

RELEASES = tuple(
    Release(name, name, f"2026-11-0{day}", switched=Switched(f"2026-11-0{day}"))
    for day, name in enumerate("abcde", start=1)
)


@pytest.mark.parametrize(
    ("wanted", "keep", "gone"),
    [
        (Needed(), 1, ["a", "b", "c"]),  # d was current until now
        (Needed(), 3, ["a", "b"]),
        (Needed(), 9, []),
        (Needed(runs={"a": 2}), 1, ["b", "c"]),
        (Needed(parsed=("b",)), 1, ["a", "c"]),
    ],
)
def test_what_nobody_needs(wanted: Needed, keep: int, gone: list[str]) -> None:
    there = {"h1": HostDags(True, "d", releases=RELEASES), "h2": HostDags(True, "d")}
    assert superfluous(there, "e", wanted, keep) == gone


def test_one_that_was_made_current_again_is_none_of_the_oldest() -> None:
    again = Release("a", "a", "2026-11-01", switched=Switched("2026-11-09"))
    there = {"h1": HostDags(True, "d", releases=(again, *RELEASES[1:]))}
    assert superfluous(there, "e", Needed(), 2) == ["b", "c"]


def test_the_new_one_need_not_have_been_there() -> None:
    there = {"h1": HostDags(True, "e", releases=RELEASES)}
    assert superfluous(there, "f", Needed(), 2) == ["a", "b", "c", "d"]
