"""uv_binary.py MACHINE: prints the path of a uv that runs on such a host (`uname -m`).

Runs on the control machine. Where that is of another kind, the host's uv of the same version comes
from the package index, once; uv itself knows which index that is.
"""

import os
import platform
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import uv

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "toolkit"


def binary(machine: str) -> str:
    """The path; downloads the binary first where this machine has none for that kind."""
    if machine == platform.machine():
        return uv.find_uv_bin()
    target = CACHE / f"uv-{version('uv')}-{machine}"
    if not (target / "bin/uv").exists():
        subprocess.run(
            [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:",
             f"--python-platform={machine}-manylinux_2_28", f"--target={target}",
             f"uv=={version('uv')}"],
            check=True, stdout=sys.stderr,
        )  # fmt: skip
    return str(target / "bin/uv")


if __name__ == "__main__":
    print(binary(sys.argv[1]))
