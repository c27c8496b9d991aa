"""Roles, settings and docs agree."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.names_used import in_jinja, in_python, in_yaml, used

from toolkit.cluster.lockfile import shipped_lock
from toolkit.cluster.planner import wanted_packages
from toolkit.cluster.specs import load_specs, roles
from toolkit.cluster.tables import release_lines

REPOSITORY = Path(__file__).resolve().parents[2]
TASK_FILES = sorted(REPOSITORY.glob("roles/*/tasks/*.yml")) + sorted(
    REPOSITORY.glob("roles/*/handlers/*.yml")
)


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


def secret_names() -> re.Pattern[str]:
    """Matches secret settings, and every private variable that is made from one."""
    private = {
        name: str(value)
        for path in REPOSITORY.glob("roles/*/vars/*.yml")
        for name, value in load(path).items()
    }
    names = {spec.name for spec in load_specs().values() if spec.secret}
    names.add("python_index_url")  # may hold a password
    while True:
        pattern = re.compile(rf"\b({'|'.join(sorted(names))})\b")
        found = {name for name, value in private.items() if pattern.search(value)}
        if found <= names:
            return pattern
        names |= found


def tasks_of(role: str) -> list[dict[str, Any]]:
    """Its tasks, those in blocks too."""
    found = [t for path in TASK_FILES if f"/{role}/tasks/" in str(path) for t in load(path)]
    for task in found:
        found += [inner for part in ("block", "rescue", "always") for inner in task.get(part, [])]
    return found


@pytest.mark.parametrize("role", roles())
def test_defaults_are_those_of_the_specification(role: str) -> None:
    defaults = load(REPOSITORY / f"roles/{role}/defaults/main.yml")
    options = load(REPOSITORY / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    assert defaults == {name: option.get("default") for name, option in options.items()}


@pytest.mark.parametrize("role", roles())
def test_settings_carry_their_roles_prefix_and_a_description(role: str) -> None:
    options = load(REPOSITORY / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"][
        "options"
    ]
    for name, option in options.items():
        assert name.startswith(f"{role}_")
        assert option["description"][0].endswith((".", ")")), name


@pytest.mark.parametrize("path", TASK_FILES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_tasks_have_names_and_hide_secrets(path: Path) -> None:
    secrets = secret_names()
    for task in load(path):
        assert task.get("name"), task
        told = str({key: value for key, value in task.items() if key not in {"vars", "when"}})
        if "fail_msg" in told or "builtin.fail" in told:  # sentences may name a setting
            told = " ".join(re.findall(r"{{.*?}}", told))
        if secrets.search(told):
            assert task.get("no_log") is True, task["name"]


@pytest.mark.parametrize("role", roles())
def test_every_setting_is_used(role: str) -> None:
    assert set(load(REPOSITORY / f"roles/{role}/defaults/main.yml")) - used() == set()


@pytest.mark.parametrize("role", roles())
def test_templates_and_files_exist_and_are_used(role: str) -> None:
    root = REPOSITORY / "roles" / role
    sources = {
        str(task[module].get("src")) for task in tasks_of(role)
        for module in ("ansible.builtin.template", "ansible.builtin.copy", "ansible.builtin.script")
        if isinstance(task.get(module), dict)
    } | {
        str(entry.get("template") or entry.get("copy")) for task in tasks_of(role)
        for entry in task.get("write_files", {}).get("files", ()) if isinstance(entry, dict)
    }  # fmt: skip
    there = {
        str(path.relative_to(root / folder)) for folder in ("templates", "files") for path in root.glob(f"{folder}/**/*")
        if path.is_file() and "locks" not in path.parts and "__pycache__" not in path.parts
    }  # fmt: skip
    named = {name for name in sources if name != "None" and "{{" not in name}
    assert named <= there
    elsewhere = "\n".join(path.read_text() for path in root.rglob("*.yml"))
    elsewhere += "\n".join(path.read_text() for path in root.glob("templates/*"))
    elsewhere += "\n".join(path.read_text() for path in root.glob("filter_plugins/*.py"))
    assert {name for name in there - named if name not in elsewhere} == set()


@pytest.mark.parametrize("role", roles())
def test_handlers_exist_and_are_notified(role: str) -> None:
    path = REPOSITORY / f"roles/{role}/handlers/main.yml"
    handlers = load(path) if path.exists() else []
    names = {handler.get("listen", handler["name"]) for handler in handlers}
    notified: set[str] = set()
    for task in [*tasks_of(role), *handlers]:
        notify = task.get("notify", [])
        notified |= {notify} if isinstance(notify, str) else set(notify)
    assert notified == names


@pytest.mark.parametrize("role", roles())
def test_private_variables_are_used(role: str) -> None:
    root = REPOSITORY / "roles" / role
    for path in (*root.glob("vars/*.yml"), *root.glob("platforms/*.yml")):
        assert set(load(path)) - used() == set(), path


def test_a_name_is_used_by_code_and_not_by_a_sentence(tmp_path: Path) -> None:
    assert in_jinja("{# a #}{{ b | default(c.d) }} e {{ f['g'] }}") == {"b", "c", "d", "f", "g"}
    task = {"name": "a", "vars": {"b": "{{ c }}"}, "when": ["d is defined", "not e"]}
    assert in_yaml([task]) == {"c", "d", "e"}
    program = tmp_path / "program.py"
    program.write_text("# a\nb = c.d['e'] + 'f g'\n")
    assert in_python(program) == {"d", "e", "f g"}


@pytest.mark.parametrize("version", [load_specs()["airflow_version"].default, "2.11.2"])
def test_the_shipped_locks_fit_the_default_settings(version: str) -> None:
    extras, more = (load_specs()[f"airflow_{name}"].default for name in ("extras", "requirements"))
    line = release_lines()[version[0]]
    assert shipped_lock(version, *wanted_packages(extras, more, {}, line, version[0], False))


@pytest.mark.network
@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_uv_is_that_of_the_host_s_processor(machine: str, number: int) -> None:
    script = REPOSITORY / "roles/python/files/uv_binary.py"
    path = subprocess.run(
        [sys.executable, script, machine], capture_output=True, text=True, check=True
    ).stdout.strip()
    header = Path(path).read_bytes()[:20]
    assert header[:4] == b"\x7fELF"
    assert int.from_bytes(header[18:20], "little") == number  # elf(5): e_machine


def test_generated_docs_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "script/docs", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_registry_hosts_and_no_path_of_this_checkout() -> None:
    files = subprocess.run(
        ["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split()
    registry = re.compile(
        r"pypi\.(org|python)|pythonhosted|registry\.npmjs|deb\.debian|snapshot\.debian"
    )
    for name in files:
        if name == "tests/contract/test_roles.py":
            continue
        text = (
            (REPOSITORY / name).read_text(errors="replace") if (REPOSITORY / name).exists() else ""
        )
        assert not registry.search(text), name
        assert str(REPOSITORY) not in text, name
