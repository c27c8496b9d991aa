#!/usr/bin/env python3
"""The acceptance against a real machine, for whoever has one: writes a report to send back.

    python tests/support/real_host.py USER@HOST [REPORT]

Provisions the host (it has to be one that may be changed), provisions again, verifies, and asks
for a check and the status. The report is Markdown and holds no secret and no address.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TOOLKIT = str(Path(sys.executable).with_name("toolkit"))
ABOUT = "cat /etc/os-release; uname -m -r; nproc; free -m | head -2; systemctl --version | head -1; python3 --version"


def toolkit(*arguments: str) -> tuple[int, float, dict[str, Any]]:
    """Exit status, seconds and the JSON answer of a command."""
    begun = time.monotonic()
    done = subprocess.run(
        [TOOLKIT, *arguments, "--json"], capture_output=True, text=True, check=False
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        answer = {"error": done.stderr.strip().splitlines()[-3:]}
    return done.returncode, time.monotonic() - begun, answer


def acceptance(target: str, inventory: str) -> list[tuple[str, bool, str]]:
    """Each step: its name, whether it holds, and what to know of it."""
    told = ["-i", inventory]
    code, seconds, first = toolkit("provision", target, *told)
    failures = [f"{f['task']}: {f['detail']}" for f in first.get("failures", [])]
    findings = [f"{f['severity']}: {f['what']}" for f in first.get("findings", [])]
    why = "; ".join([*failures, *findings, *map(str, first.get("error", []))])
    steps = [("provision to a canary DAG", code == 0, f"{seconds:.0f} s. {why}")]
    code, seconds, again = toolkit("provision", "--no-verify", *told)
    changed = [event["task"] for event in again.get("changes", ["no answer"])]
    steps.append(
        ("second run changes nothing", code == 0 and not changed, f"{seconds:.0f} s. {changed}")
    )
    code, _, check = toolkit("provision", "--check", *told)
    changed = [event["task"] for event in check.get("changes", [])]
    steps.append(("check mode finds nothing", code == 0 and not changed, str(changed)))
    code, _, proof = toolkit("verify", *told)
    failed = [
        f"{c['component']} {c['name']}: {c['detail']}"
        for c in proof.get("checks", [])
        if not c["ok"]
    ]
    steps.append(("verify", code == 0, "; ".join(failed)))
    code, seconds, _ = toolkit("status", *told)
    steps.append(("status", code == 0, f"{seconds:.1f} s"))
    return steps


def main() -> int:
    """Run it and write the report; 0 when everything holds."""
    if len(sys.argv) not in (2, 3) or "@" not in sys.argv[1]:
        print(__doc__)
        return 2
    target, report = sys.argv[1], Path(sys.argv[2] if len(sys.argv) == 3 else "real-host-report.md")
    with tempfile.TemporaryDirectory(prefix="real-host-") as scratch:
        steps = acceptance(target, str(Path(scratch) / "host"))
    about = subprocess.run(
        ["ssh", target, ABOUT], capture_output=True, text=True, check=False
    ).stdout
    rows = "\n".join(
        f"| {name} | {'yes' if ok else '**no**'} | {note} |" for name, ok, note in steps
    )
    report.write_text(
        f"# Real host\n\n| step | holds | note |\n|---|---|---|\n{rows}\n\n```\n{about}```\n".replace(
            target.partition("@")[2], "HOST"
        ),
        encoding="utf-8",
    )
    print(f"wrote {report}")
    return 0 if all(ok for _, ok, _ in steps) else 1


if __name__ == "__main__":
    sys.exit(main())
