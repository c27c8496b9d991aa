"""What role base promises: the packages are there, and a certificate store that was not touched."""

from __future__ import annotations

from typing import Any


def test_packages_are_there(host: Any) -> None:
    assert host.package("libpq" if host.exists("dnf") else "tree").is_installed
    assert host.run("setfacl --version").rc == 0


def test_the_directory_of_our_tools_belongs_to_root(host: Any) -> None:
    folder = host.file("/usr/local/lib/airflow-toolkit")
    assert (folder.user, folder.mode) == ("root", 0o755)
