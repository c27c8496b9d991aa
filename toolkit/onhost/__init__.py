"""Programs that run on a host: standard library only, Python 3.6, sent over SSH."""

from pathlib import Path


def source(name: str) -> str:
    """The text of a program of this package."""
    return (Path(__file__).parent / f"{name}.py").read_text(encoding="ascii")
