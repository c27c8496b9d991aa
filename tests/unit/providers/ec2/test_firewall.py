"""Security groups: which ports are opened, and to whom."""

from __future__ import annotations

from pathlib import Path

from support.ec2_config import load, wanted


def test_a_single_host_opens_nothing_to_members(directory: Path) -> None:
    assert {
        group.name: {str(rule) for rule in group.rules} for group in wanted(load(directory))
    } == {
        "toolkit-prod": {"port 22 from 203.0.113.7/32"},
        "toolkit-prod-main": {"port 8080 from 203.0.113.7/32"},
    }


def test_an_external_database_is_no_port_of_ours(directory: Path) -> None:
    text = ("instances: {main: {groups: [scheduler, webserver], type: t3.medium}, "
            "worker: {groups: [worker], type: t3.medium}}")  # fmt: skip
    ports = {rule.port for group in wanted(load(directory, text)) for rule in group.rules}
    assert ports == {22, 8080, 8793, 8794}
