"""User data: what EC2 hands to an instance at its first boot."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.ec2_config import ONE, load

from toolkit.errors import ToolkitError
from toolkit.providers.ec2 import userdata


def test_user_data_has_a_limit(directory: Path) -> None:
    assert userdata.render(load(directory)) == ""
    (directory / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n" + "A" * userdata.LIMIT)
    with pytest.raises(ToolkitError, match="EC2 takes 16384"):
        userdata.render(load(directory, ONE + "ca_certificates: [ca.pem]"))
    (directory / "ca.pem").write_text("no certificate")
    with pytest.raises(ToolkitError, match="no PEM certificate"):
        userdata.render(load(directory, ONE + "ca_certificates: [ca.pem]"))
