"""What a provision writes here, and when."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from toolkit.errors import EXIT_REFUSED, ToolkitError
from toolkit.run.session import Options
from toolkit.verbs.provision import provision

NOBODY = "{hosts: {h1: {ansible_host: 127.0.0.1, ansible_port: 1}}}"
HOSTS = f"scheduler: {NOBODY}\nwebserver: {NOBODY}\nmetadata_db: {NOBODY}\n"


@pytest.fixture
def inventory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("ANSIBLE_VAULT_PASSWORD_FILE", raising=False)
    home = tmp_path / "prod"
    home.mkdir()
    (home / "hosts.yml").write_text(HOSTS)
    return home


def files(inventory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(inventory)): path.read_bytes()
        for path in inventory.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ("", "access."),  # the host cannot be reached
        ("airflow_web_prot: 1\n", "settings.unknown"),
        ("airflow_metrics: {}\nairflow_parallelism: -1\n", "settings."),
    ],
)
def test_a_provision_that_is_refused_has_written_nothing(
    inventory: Path, settings: str, why: str
) -> None:
    (inventory / "group_vars").mkdir()
    (inventory / "group_vars/all.yml").write_text(settings or "airflow_web_port: 8099\n")
    before = files(inventory)
    result = provision(inventory, Options("toolkit provision", quiet=True))
    assert result.exit_code == EXIT_REFUSED
    assert any(found.id.startswith(why) for found in result.findings)
    assert files(inventory) == before
    assert json.loads(result.as_json())["wrote"] == []


def test_what_a_refused_provision_has_written_is_told(
    inventory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = inventory / "known_hosts"

    def accept(*_: object) -> None:
        known.write_text("127.0.0.1 ssh-ed25519 AAAA\n")
        raise ToolkitError("the vault's password is wrong", where="vault.yml")

    monkeypatch.setattr("toolkit.verbs.provision.collect", accept)
    with pytest.raises(ToolkitError, match=rf"is wrong \(written here: {known}\)"):
        provision(inventory, Options("toolkit provision", quiet=True))
