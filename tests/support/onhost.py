"""Programs of toolkit/onhost run on this machine, sent as they are sent to a host."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from toolkit.onhost.bundle import program


def run(name: str, payload: dict[str, Any], **environment: str) -> dict[str, Any]:
    """What a program answers; `environment` is all that it gets."""
    done = send(
        f"{program(name)}\nimport json\n"
        f"print(json.dumps(main(json.loads({json.dumps(payload)!r}))))\n",
        **environment,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def send(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a text as `python3 -` does, away from the package."""
    return subprocess.run(
        [sys.executable, "-I", "-"], input=text, capture_output=True, text=True, check=False,
        cwd="/", env=environment or None,
    )  # fmt: skip
