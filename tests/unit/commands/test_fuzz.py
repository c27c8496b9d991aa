"""Generated inventories and command lines: never a traceback, always a status that is documented.

TOOLKIT_FUZZ=1000 runs a thousand of each; without it there are as many as half a minute allows.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.hostile import GOOD, NASTY_YAML, command_lines, inventories, judge, place, write

EXAMPLES = int(os.environ.get("TOOLKIT_FUZZ", "40"))
QUICK = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)

READING = [
    ["check", "--json"], ["check"], ["plan", "--json"], ["status", "--json"], ["lock", "--json"], ["ec2", "plan", "--json"],
    ["provision", "--print-command", "--json"], ["runs", "--json"], ["verify", "--json"], ["check", "h*", "--json"],
]  # fmt: skip


@QUICK
@given(inventories(), st.sampled_from(READING))
def test_whatever_an_inventory_holds(files: dict[str, Any], words: list[str]) -> None:
    with place() as here:
        write(here.directory / "inv", files)
        arguments = [*words, "-i", "inv"]
        judge(here.run(arguments), arguments)


@QUICK
@given(command_lines())
def test_whatever_is_typed(arguments: list[str]) -> None:
    with place() as here:
        write(here.directory / "inv", GOOD)
        write(here.directory / "broken", {"hosts.yml": NASTY_YAML[5]})
        (here.directory / "empty").mkdir()
        (here.directory / "file").write_text("h1\n")
        judge(here.run(arguments), arguments)


@pytest.mark.parametrize("content", NASTY_YAML, ids=lambda content: repr(content[:30]))
@pytest.mark.parametrize(
    "name", ["hosts.yml", "group_vars/all/vault.yml", "airflow.lock", ".vault-password"]
)
def test_every_file_with_every_content(name: str, content: bytes) -> None:
    with place() as here:
        write(here.directory / "inv", {**GOOD, name: content})
        arguments = ["check", "--json", "-i", "inv"]
        judge(here.run(arguments), arguments)
