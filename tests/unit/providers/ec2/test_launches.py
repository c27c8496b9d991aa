"""Client tokens: a launch that is repeated makes no second instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from toolkit.providers.ec2.launches import Launches


def test_a_client_token_stays_until_the_instance_was_seen(
    directory: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    token = Launches(directory).token("worker1", {"ImageId": "ami-1"})
    assert len(token) == 64
    assert Launches(directory).token("worker1", {"ImageId": "ami-1"}) == token
    assert Launches(directory).token("worker1", {"ImageId": "ami-2"}) != token
    assert Launches(directory).token("worker2", {"ImageId": "ami-1"}) != token
    Launches(directory).forget(["worker1"])
    assert Launches(directory).token("worker1", {"ImageId": "ami-1"}) != token
