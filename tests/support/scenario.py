"""Tests that are the steps of one scenario: they run in their order, and not after one that failed.

    @pytest.mark.scenario            a file's only scenario, or
    @pytest.mark.scenario("mysql")   one of several

A step that is chosen alone brings the steps before it. A conftest.py imports the hooks from here.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

_Key = tuple[str, str]
_FAILED = pytest.StashKey[dict[_Key, str]]()


def _scenario(item: pytest.Item) -> _Key | None:
    """The file and the name of the scenario that a test is a step of."""
    marker = item.get_closest_marker("scenario")
    return (str(item.path), *(marker.args or ("",))) if marker else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """After every other choice (-k, -m, --last-failed): the steps before a chosen one come too."""
    yield
    items[:] = list(_complete(items))


def _complete(items: list[pytest.Item]) -> Iterator[pytest.Item]:
    seen: set[_Key] = set()
    for item in items:
        key = _scenario(item)
        if key is None:
            yield item
        elif key not in seen:
            seen.add(key)
            yield from _steps(key, [one for one in items if _scenario(one) == key])


def _steps(key: _Key, chosen: list[pytest.Item]) -> Iterator[pytest.Item]:
    """The steps up to the last chosen one, as the file has them."""
    parent = chosen[0].parent
    assert isinstance(parent, pytest.Collector)
    known = {item.nodeid: item for item in chosen}
    for step in parent.collect():
        if isinstance(step, pytest.Item) and _scenario(step) == key and known:
            yield known.pop(step.nodeid, step)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:  # fmt: skip
    """Remember the first step of a scenario that failed."""
    report = yield
    key = _scenario(item)
    if report.failed and key:
        item.session.stash.setdefault(_FAILED, {}).setdefault(key, item.name)
    return report


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leave out what an earlier step has not prepared."""
    key = _scenario(item)
    failed = item.session.stash.get(_FAILED, {})
    if key and key in failed:
        pytest.skip(f"an earlier step failed: {failed[key]}")
