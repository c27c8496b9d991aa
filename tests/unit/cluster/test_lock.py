"""Locks: what they say, whether they fit, and resolving them with uv from an index of our own."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from packaging.version import Version
from support.package_index import Package, serve
from support.preflight_data import make_cluster
from uv import find_uv_bin

from toolkit.cluster import lock, lockfile
from toolkit.cluster import resolve as lock_resolve
from toolkit.cluster.planner import wanted_packages
from toolkit.cluster.tables import release_lines
from toolkit.commands.lock import command
from toolkit.content import content_dir
from toolkit.errors import ToolkitError

DEFAULT_EXTRAS = ["celery", "postgres", "redis", "amazon", "fab"]
SHIPPED = ["3.3.2", "2.11.2"]
EXTRAS = ("celery", "oracle", "fab")
OLD = "python_version < '3.11' and platform_machine == 'x86_64'"
PACKAGES = [
    Package("apache-airflow", "3.9.0", "2026-05-01", ("greeter", *(
        "celery; extra == 'celery'", "compiled; extra == 'oracle'", f"backport; extra == 'oracle' and {OLD}")), EXTRAS, ">=3.10,!=3.14"),
    Package("apache-airflow", "2.19.0", "2026-05-01", ("greeter", *(
        "celery; extra == 'celery'",
        "apache-airflow-providers-celery; extra == 'celery'")), ("celery",), ">=3.10,!=3.13,!=3.14"),
    Package("greeter", "1.0", "2026-04-01"),
    Package("greeter", "1.1", "2026-05-01"),
    Package("greeter", "1.2", "2026-05-02"),
    Package("celery", "5.6.9", "2026-01-01"),
    Package("celery", "5.7.0", "2026-04-30"),
    Package("apache-airflow-providers-celery", "3.15.2", "2026-01-01"),
    Package("apache-airflow-providers-celery", "3.17.1", "2026-02-01"),
    Package("compiled", "1.0", "2026-01-01", tag="py3-none-manylinux_2_17_x86_64"),
    Package("backport", "1.0", "2026-01-01", tag="cp310-cp310-manylinux_2_17_x86_64"),
    Package("conflicting", "1.0", "2026-01-01", ("greeter>=2",)),
]  # fmt: skip


def shipped(version: str) -> Path:
    return content_dir() / f"roles/airflow/files/locks/airflow-{version}.lock"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copy(shipped("3.3.2"), tmp_path / lock.LOCK_NAME))


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The URL of the index; it has constraints for Airflow 2.19.0 only."""
    constraints = {
        f"/constraints-2.19.0/{python}": f"# a comment\ngreeter=={greeter}\ncelery==5.7.0\n"
        for python, greeter in {"3.10": "1.0", "3.11": "1.0", "3.12": "1.1"}.items()
    }
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with serve(PACKAGES, constraints) as url:
        monkeypatch.setitem(lock_resolve._data(), "constraints_url", f"{url}/nowhere")
        yield url


def resolved(directory: Path, url: str, version: str, extras: Any = (), more: Any = ()) -> Path:
    path = directory / "resolved.lock"
    lockfile.write(path, lock_resolve.resolve(version, extras, more, index_url=f"{url}/simple"))
    return path


@pytest.mark.parametrize("version", SHIPPED)
def test_a_lock_is_shipped_for_the_default_settings(version: str) -> None:
    major = version[0]
    wanted = wanted_packages(DEFAULT_EXTRAS, [], {}, release_lines()[major], major, False)
    path = lockfile.shipped_lock(version, *wanted)
    assert path is not None
    pythons = lockfile.read_header(path).pythons
    assert {"3.11", "3.12"} <= set(pythons)
    assert "3.9" not in pythons
    assert ("3.14" in pythons) == (version == "3.3.2")
    pins = lockfile.pinned(path)
    assert pins["apache-airflow"] == (version,)
    assert Version(pins["celery"][0]) < Version("5.7")
    # Its workers may hang from 25.1 on (roles/airflow/files/release_lines.yml).
    assert all(Version(one) < Version("25.1") for one in pins.get("gunicorn", ()))
    assert {"asyncpg", "psycopg2-binary", "redis", "apache-airflow-providers-fab"} <= set(pins)


@pytest.mark.parametrize("version", SHIPPED)
def test_every_requirement_of_a_shipped_lock_has_a_hash_and_no_address(version: str) -> None:
    text = shipped(version).read_text()
    assert "://" not in text
    for block in text.replace("\\\n", " ").splitlines():
        assert block.startswith("#") or "--hash=sha256:" in block


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_uv_takes_a_lock_for_every_python_and_machine_it_names(
    tmp_path: Path, index: str, machine: str
) -> None:
    path = resolved(tmp_path, index, "3.9.0", ["celery"])
    for python in lockfile.read_header(path).pythons:
        done = subprocess.run(
            [find_uv_bin(), "pip", "install", "--dry-run", "--require-hashes", "-r", path,
             "--target", tmp_path / "none", "--only-binary", ":all:", "--python-version", python,
             "--python-platform", f"{machine}-unknown-linux-gnu",
             "--default-index", f"{index}/simple"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert "Would install 3 packages" in done.stderr, done.stderr


def test_a_header_survives_being_written(tmp_path: Path) -> None:
    header = lock.Header("3.3.2", ("fab",), ('a>=1; python_version < "3.11"',), ("3.10", "3.11"),
                         ("x86_64",), "index as of 2026-09-18", ())  # fmt: skip
    (tmp_path / "a.lock").write_text(f"{header}a==1\n")
    assert lockfile.read_header(tmp_path / "a.lock") == header


@pytest.mark.parametrize("text", ["", "a==1\n", "#   - a list\n", "#   airflow_version: '1\n"])
def test_a_file_without_our_header_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.lock").write_text(text)
    with pytest.raises(ToolkitError, match="does not say") as caught:
        lockfile.read_header(tmp_path / "a.lock")
    assert caught.value.fix == f"toolkit lock -i {tmp_path}"


@pytest.mark.parametrize(
    ("version", "extras", "requirements", "stale"),
    [
        ("3.3.2", DEFAULT_EXTRAS, [], False),
        ("3.3.2", ["FAB", *DEFAULT_EXTRAS[:-1]], [], False),
        ("3.3.1", DEFAULT_EXTRAS, [], True),
        ("3.3.2", DEFAULT_EXTRAS[1:], [], True),
        ("3.3.2", DEFAULT_EXTRAS, ["pandas"], True),
    ],
)
def test_a_lock_is_stale_when_the_settings_differ(
    copy: Path, version: str, extras: list[str], requirements: list[str], stale: bool
) -> None:
    assert lockfile.is_stale(copy, version, extras, requirements) is stale


def test_requirements_are_compared_however_they_are_written() -> None:
    assert lockfile.normal_requirements(["b", "a >= 1,<2"]) == lockfile.normal_requirements(
        ["a<2,>=1", "b"]
    )
    with pytest.raises(ToolkitError, match="'pandas=>2'"):
        lockfile.normal_requirements(["pandas=>2"])


def test_the_hash_follows_the_content(copy: Path) -> None:
    before = lockfile.lock_hash(copy)
    assert len(before) == 12
    assert before == lockfile.lock_hash(shipped("3.3.2"))
    copy.write_text(copy.read_text() + "one-more==1\n")
    assert lockfile.lock_hash(copy) != before


def test_a_cluster_with_the_default_settings_gets_the_shipped_lock(tmp_path: Path) -> None:
    path = lock.ensure_lock(make_cluster(tmp_path))
    assert path == tmp_path / "airflow.lock"
    assert path.read_bytes() == shipped("3.3.2").read_bytes()
    assert lock.ensure_lock(make_cluster(tmp_path)) == path


def test_a_cluster_with_other_settings_gets_its_own(tmp_path: Path, index: str) -> None:
    settings = {"airflow_version": "3.9.0", "airflow_extras": ["celery"],
                "python_index_url": f"{index}/simple"}  # fmt: skip
    said: list[str] = []
    path = lock.ensure_lock(make_cluster(tmp_path, **settings), say=said.append)
    assert lockfile.read_header(path).airflow_version == "3.9.0"
    assert any("3.9.0" in line for line in said)


def test_a_lock_that_does_not_fit_any_more_is_refused(tmp_path: Path, copy: Path) -> None:
    before = copy.read_bytes()
    with pytest.raises(ToolkitError, match=r"==3\.3\.2, .* and pandas") as caught:
        lock.ensure_lock(make_cluster(tmp_path, airflow_requirements=["pandas"]))
    assert caught.value.fix == f"toolkit lock -i {tmp_path}"
    assert copy.read_bytes() == before


def test_packages_are_taken_as_of_the_day_after_the_release(tmp_path: Path, index: str) -> None:
    path = resolved(tmp_path, index, "3.9.0", ["celery", "oracle"])
    assert lockfile.pinned(path) == {
        "apache-airflow": ("3.9.0",),
        "backport": ("1.0",),
        "celery": ("5.6.9",),
        "compiled": ("1.0",),
        "greeter": ("1.1",),
    }
    header = lockfile.read_header(path)
    assert header.source == "index as of 2026-05-02"
    assert header.pythons == ("3.10", "3.11", "3.12", "3.13")
    assert header.built_on_hosts == ("compiled",)
    assert "127.0.0.1" not in path.read_text()


def test_airflow_2_takes_its_provider_pin_and_no_fab_extra(tmp_path: Path, index: str) -> None:
    path = resolved(tmp_path, index, "2.19.0", ["celery", "fab"])
    assert lockfile.pinned(path)["apache-airflow-providers-celery"] == ("3.15.2",)
    assert lockfile.read_header(path).extras == ("celery", "fab")
    assert lockfile.read_header(path).pythons == ("3.10", "3.11", "3.12")


def test_pins_bring_no_package_in(tmp_path: Path, index: str) -> None:
    assert set(lockfile.pinned(resolved(tmp_path, index, "2.19.0"))) == {
        "apache-airflow",
        "greeter",
    }


def test_the_users_own_word_wins_over_pins_and_the_release_day(tmp_path: Path, index: str) -> None:
    more = ["celery==5.7.0", "greeter==1.2"]
    pins = lockfile.pinned(resolved(tmp_path, index, "3.9.0", ["celery"], more))
    assert pins["celery"] == ("5.7.0",)
    assert pins["greeter"] == ("1.2",)


def test_airflows_constraints_are_used_where_they_can_be_read(
    tmp_path: Path, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = index + "/constraints-{version}/{python}"
    monkeypatch.setitem(lock_resolve._data(), "constraints_url", url)
    path = resolved(tmp_path, index, "2.19.0", ["celery"])
    assert lockfile.read_header(path).source == "constraints-2.19.0"
    assert lockfile.pinned(path)["celery"] == ("5.6.9",)  # our pin, not the constraints' 5.7.0
    assert set(lockfile.pinned(path)["greeter"]) == {"1.0", "1.1"}
    assert (
        lockfile.read_header(resolved(tmp_path, index, "3.9.0")).source == "index as of 2026-05-02"
    )


@pytest.mark.parametrize(
    ("version", "extras", "more", "told"),
    [
        ("3.8.9", [], [], "no Airflow 3.8.9; nearest to it: 2.19.0 and 3.9.0"),
        ("4.0", [], [], "nearest to it: 3.9.0"),
        ("newest", [], [], "'newest' is not a version"),
        ("3.9.0", ["celry"], [], "no extra 'celry'; did you mean celery?"),
        ("3.9.0", [], ["missing-one"], "missing-one was not found"),
        ("3.9.0", [], ["conflicting"], "conflicting"),
        ("3.9.0", [], ["greeter>=1.2"], "greeter"),
        ("3.9.0", [], ["x y"], "'x y' in airflow_requirements"),
    ],
)
def test_what_cannot_be_resolved_is_told(
    tmp_path: Path, index: str, version: str, extras: list[str], more: list[str], told: str
) -> None:
    with pytest.raises(ToolkitError) as caught:
        resolved(tmp_path, index, version, extras, more)
    assert told in caught.value.what
    assert caught.value.fix
    assert not (tmp_path / "resolved.lock").exists()


@pytest.mark.usefixtures("index")
def test_an_index_that_does_not_answer(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="index did not answer") as caught:
        resolved(tmp_path, "http://127.0.0.1:9", "3.9.0")
    assert "python_index_url" in str(caught.value.fix)


def test_the_command_prints_what_changed(tmp_path: Path, index: str, copy: Path) -> None:
    make_cluster(tmp_path, airflow_version="3.9.0", airflow_extras=[],
                 python_index_url=f"{index}/simple")  # fmt: skip
    done = CliRunner().invoke(command, ["-i", str(tmp_path), "--json"], catch_exceptions=False)
    result = json.loads(done.stdout)
    assert result["hash"] == lockfile.lock_hash(copy)
    assert result["packages"] == 2
    assert result["changes"]["apache-airflow"] == "3.3.2 -> 3.9.0"
    assert result["changes"]["greeter"] == "added"
    assert result["changes"]["celery"] == "removed"


@pytest.mark.parametrize(
    ("settings", "arguments", "told"),
    [
        ({"airflow_extras": "celery"}, [], "airflow.yml:1: airflow_extras has to be a list"),
        ({}, ["--airflow-version", "1.10.15"], "1.10.15 is not supported"),
    ],
)
def test_the_command_refuses_wrong_settings(
    tmp_path: Path, settings: dict[str, Any], arguments: list[str], told: str
) -> None:
    make_cluster(tmp_path, **settings)
    done = CliRunner().invoke(command, ["-i", str(tmp_path), *arguments])
    assert isinstance(done.exception, ToolkitError)
    assert told in done.exception.what
    assert not (tmp_path / lock.LOCK_NAME).exists()
