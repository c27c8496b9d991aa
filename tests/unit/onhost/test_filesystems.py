"""Folders that user airflow cannot read."""

from __future__ import annotations

from pathlib import Path

from toolkit.onhost.filesystems import closed


def test_folders_that_a_user_may_pass(tmp_path: Path) -> None:
    dags = tmp_path / "home" / "dags"
    dags.mkdir(parents=True)
    for part in (dags, *dags.parents):
        if tmp_path in (part, *part.parents):
            part.chmod(0o755)
    above = [part for part in tmp_path.parents if part.stat().st_mode & 1 == 0]
    if not above:
        assert closed(str(dags)) == ""
        assert closed(str(dags / "later")) == ""
        (tmp_path / "home").chmod(0o711)
        assert closed(str(dags)) == ""
        (tmp_path / "home").chmod(0o700)
        assert closed(str(dags)) == str(tmp_path / "home")
    dags.chmod(0o711)
    assert closed(str(dags)) == str(dags)
