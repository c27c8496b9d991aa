"""Runs on the control machine: one text of a program and the modules that it imports."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

PACKAGE = "toolkit.onhost"
_IMPORT = re.compile(r"^from (toolkit\.onhost[\w.]*) import (\([^)]*\)|.*)$", re.M)
"""As ruff formats it; parsing 20 modules takes longer than sending them."""


@cache
def program(module: str, function: str = "main") -> str:
    """The text of a program, for `hosts.Remote.run_script`.

    On the host its modules stay modules, so that they import each other, and tracebacks name them,
    as they do here.

    Args:
        module: a module of this package, such as "probe".
        function: what the text defines as `main`.
    """
    name = f"{PACKAGE}.{module}"
    return (
        f"{_text(f'{PACKAGE}.importer')}\n\ninstall({_with_imports(name)!r})\n"
        f"from {name} import {function} as main\n"
    )


def _with_imports(name: str) -> dict[str, str]:
    """The texts of a module and of all that it imports of this package, by name."""
    found: dict[str, str] = {}
    wanted = [name]
    while wanted:
        name = wanted.pop()
        text = None if name in found else _text(name)
        if text is not None:
            found[name] = text
            wanted += _imports(text)
    return found


def _imports(text: str) -> Iterator[str]:
    """What may be names of modules in `from toolkit.onhost... import ...`."""
    for module, names in _IMPORT.findall(text):
        yield module
        yield from (f"{module}.{name}" for name in re.findall(r"\w+", names))


def _text(name: str) -> str | None:
    """The text of a module of this package; None for a package, and for a name that is no module."""
    file = files(PACKAGE).joinpath(*name.split(".")[2:-1], f"{name.split('.')[-1]}.py")
    return file.read_text(encoding="ascii") if file.is_file() else None
