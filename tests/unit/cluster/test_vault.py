"""The generated secrets: made once, encrypted, private."""

from __future__ import annotations

import stat

import pytest

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
        vault.stored(cluster)
