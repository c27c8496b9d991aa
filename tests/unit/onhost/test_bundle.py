"""Programs as they are sent: standard library only, old Pythons, modules that stay modules."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest
from support.onhost import run, send

from toolkit.onhost import bundle

ROOT = Path(bundle.__file__).parent
SENT = [
    path for path in sorted(ROOT.rglob("*.py")) if path.name not in ("bundle.py", "__init__.py")
]
PROGRAMS = [path.stem for path in SENT if "\ndef main(payload):" in path.read_text()]


@pytest.mark.parametrize("path", SENT, ids=lambda path: path.stem)
def test_what_is_sent_is_ascii_for_old_pythons_and_imports_at_the_top_what_they_have(
    path: Path,
) -> None:
    tree = ast.parse(path.read_text(encoding="ascii"), feature_version=(3, 6))
    imports = [node for node in tree.body if isinstance(node, ast.Import)]
    imported = {alias.name for node in imports for alias in node.names}
    imported |= {str(node.module) for node in tree.body if isinstance(node, ast.ImportFrom)}
    others = {name for name in imported if not name.startswith("toolkit.onhost")}
    assert {name.split(".")[0] for name in others} <= sys.stdlib_module_names


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_has_all_that_it_imports(name: str) -> None:
    done = send(bundle.program(name) + "print(main.__module__)\n")
    assert (done.stdout, done.stderr) == (f"toolkit.onhost.{name}\n", "")


def test_another_function_can_be_the_program() -> None:
    done = send(bundle.program("drift", "listed") + "print(main.__name__)\n")
    assert done.stdout == "listed\n"


def test_only_what_a_program_needs_is_sent() -> None:
    assert "toolkit.onhost.network" not in bundle.program("state")
    assert "toolkit.onhost.in_airflow.database" in bundle.program("state")
    assert len(bundle.program("first_boot")) < 3_000


def test_a_traceback_names_the_module_and_the_line() -> None:
    done = send(bundle.program("state") + "main({})\n")
    lines = (ROOT / "state.py").read_text().splitlines()
    number = next(n for n, line in enumerate(lines, 1) if 'payload["nonce"]' in line)
    assert f'File "toolkit/onhost/state.py", line {number}, in main' in done.stderr


def test_a_toolkit_that_the_host_has_is_not_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "toolkit").mkdir()
    (tmp_path / "toolkit/__init__.py").write_text("raise SystemExit('theirs')")
    done = send(f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n{bundle.program('reach')}")
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_is_written_where_it_runs(tmp_path: Path) -> None:
    run("reach", {"seconds": 0.1, "listen": [], "connect": [], "names": []}, HOME=str(tmp_path))
    assert list(tmp_path.iterdir()) == []
