"""USER@ADDRESS[:PORT] on a command line."""

from __future__ import annotations

import pytest

from toolkit.cluster.hosts_file import parse_target
from toolkit.errors import ToolkitError


@pytest.mark.parametrize("target", ["", "a b@c", "-oProxyCommand=x", "a@b:port"])
def test_what_is_no_target(target: str) -> None:
    with pytest.raises(ToolkitError):
        parse_target(target)
