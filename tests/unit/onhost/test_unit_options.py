"""What systemd says to options; the lines are systemd 252's own."""

from __future__ import annotations

import pytest

from toolkit.onhost.unit_options import NAME, said

LINES = [("MemoryDenyWriteExec", "no"), ("ProtectHome", "read-only"), ("Nice", "99")]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        (f"/x/{NAME}:3: Unknown key 'MemoryDenyWriteExec' in section [Service], ignoring.",
         [("MemoryDenyWriteExec", "Unknown key 'MemoryDenyWriteExec' in section [Service]")]),
        (f"/x/{NAME}:5: Nice priority out of range, ignoring: 99", [("Nice", "Nice priority out of range")]),
        (f"/x/{NAME}:3: Unit uses MemoryLimit=; please use MemoryMax= instead.", []),
        (f"/x/{NAME}:5: Invalid environment assignment, ignoring: $ecret", [("Nice", "Invalid environment assignment")]),
        ("/lib/systemd/system/other.service:4: Unknown key 'X' in section [Service], ignoring.", []),
        (f"{NAME}: Command /bin/true is not executable: No such file or directory", []),
        (f"/x/{NAME}:2: about our own line", []),
        (f"/x/{NAME}:9: about a line that is not there", []),
    ],
)  # fmt: skip
def test_only_lines_of_the_inventory_are_reported(text: str, found: list[tuple[str, str]]) -> None:
    assert said(LINES, text) == found
