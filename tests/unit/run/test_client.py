"""The environment of Airflow's API client."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from toolkit.errors import EXIT_FAILED, ToolkitError
from toolkit.run import client


def test_everything_is_pinned_and_hashed() -> None:
    text = files("toolkit.run").joinpath("airflowctl.lock").read_text("ascii")
    packages = [
        one for one in re.split(r"\n(?! )", text.strip()) if one and not one.startswith("#")
    ]
    assert len(packages) > 30
    for package in packages:
        named, *hashes = package.replace("\\\n", " ").split("--hash=sha256:")
        (pin,) = Requirement(named).specifier
        assert pin.operator == "=="
        assert hashes
    assert "://" not in text
    assert re.fullmatch(r"\d+\.\d+\.\d+", client.version())


def test_an_index_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"XDG_CACHE_HOME": str(tmp_path), "UV_CACHE_DIR": str(tmp_path / "uv"),
                        "UV_OFFLINE": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("UV_FIND_LINKS", raising=False)
    with pytest.raises(ToolkitError, match=r"airflowctl \S+ cannot be installed") as failed:
        client.installed("http://127.0.0.1:9/simple", lambda _: None)
    assert failed.value.exit_code == EXIT_FAILED
    assert "python_index_url" in str(failed.value.fix)
    assert [path.name for path in (tmp_path / "toolkit/airflowctl").iterdir()] == ["lock"]
