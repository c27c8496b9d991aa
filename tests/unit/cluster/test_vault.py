"""The generated secrets: made once, encrypted, private."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support.vault_files import write_encrypted

from toolkit.cluster import Cluster, vault
from toolkit.cluster.vaultfile import vault_file, vault_password_file
from toolkit.errors import ToolkitError


def test_secrets_are_made_once_encrypted_and_private(cluster: Cluster) -> None:
    vault.ensure(cluster)
    path = vault_file(cluster.directory)
    first = vault.stored(cluster)
    assert set(first) == set(vault.GENERATED)
    assert path.read_text().startswith("$ANSIBLE_VAULT;")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(vault_password_file(cluster.directory).stat().st_mode) == 0o600
    content = path.read_bytes()
    vault.ensure(cluster)
    assert path.read_bytes() == content
    assert vault.mask(f"x{first['broker_password']}y", vault.values(cluster)) == "x********y"


def test_a_wrong_vault_password_is_told(cluster: Cluster) -> None:
    vault.ensure(cluster)
    vault_password_file(cluster.directory).write_text("other\n")
    with pytest.raises(ToolkitError, match="does not open"):
        vault.stored(Cluster.load(cluster.directory))


def test_a_value_of_the_vault_counts_at_its_place(cluster: Cluster) -> None:
    directory = cluster.directory
    (directory / "group_vars/all/airflow.yml").write_text(
        "metadata_db_password: plain\nairflow_web_port: 1\nairflow_timezone: utc\n"
    )
    (directory / "group_vars/scheduler.yml").write_text("airflow_timezone: Asia/Seoul\n")
    text = "metadata_db_password: vaulted\nairflow_web_port: 2\nairflow_timezone: system\n"
    write_encrypted(vault_file(directory), directory, text)
    found = Cluster.load(directory)
    host = found.group("scheduler")[0]
    # vault.yml comes after airflow.yml; a group comes after all.
    assert found.setting("metadata_db_password") == "vaulted"
    assert found.setting("airflow_web_port", host) == 2
    assert found.setting("airflow_timezone") == "system"
    assert found.setting("airflow_timezone", host) == "Asia/Seoul"


def test_without_the_password_only_secrets_are_refused(cluster: Cluster) -> None:
    directory = cluster.directory
    vault.ensure(cluster)
    (directory / "group_vars/all/airflow.yml").write_text("airflow_web_port: 1\n")
    vault_password_file(directory).unlink()
    found = Cluster.load(directory)
    assert found.setting("airflow_web_port") == 1
    assert found.all_hosts[0].become_password is None
    with pytest.raises(ToolkitError, match=r"password file .* is missing"):
        found.setting("metadata_db_password")


@pytest.mark.parametrize(
    "name", ["ansible_become_password", "ansible_become_pass", "ansible_sudo_pass"]
)
def test_sudos_password_is_read_from_a_hosts_vault_and_masked(cluster: Cluster, name: str) -> None:
    host = cluster.all_hosts[0].name
    path = cluster.directory / "host_vars" / host / "vault.yml"
    write_encrypted(path, cluster.directory, f"{name}: of-this-host\n")
    found = Cluster.load(cluster.directory)
    assert found.host(host).become_password == "of-this-host"
    assert vault.mask("sudo: of-this-host", vault.values(found)) == "sudo: ********"


def test_a_template_is_a_password_for_sudo_and_masked(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("P", "of-the-environment")
    path = cluster.directory / "group_vars/all/airflow.yml"
    path.write_text('ansible_become_password: \'{{ lookup("env", "P") }}\'\n')
    found = Cluster.load(cluster.directory)
    assert found.all_hosts[0].become_password == "of-the-environment"
    assert vault.mask("sudo: of-the-environment", vault.values(found)) == "sudo: ********"


def test_a_vault_that_was_read_once_is_opened_again_only_for_what_is_in_it(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    vault.ensure(cluster)
    secret = Cluster.load(cluster.directory).setting("airflow_fernet_key")
    program = (
        "import sys; from pathlib import Path; from toolkit.cluster import Cluster; "
        "cluster = Cluster.load(Path(sys.argv[1])); assert cluster.setting('airflow_web_port'); "
        "assert 'ansible' not in sys.modules; assert len(cluster.setting('airflow_fernet_key')) == 44"
    )
    subprocess.run([sys.executable, "-c", program, str(cluster.directory)], check=True)
    cached = "".join(path.read_text() for path in (tmp_path / "cache").rglob("*.json"))
    assert "airflow_fernet_key" in cached and secret not in cached
