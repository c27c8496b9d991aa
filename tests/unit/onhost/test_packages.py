"""What dpkg's status file says."""

from __future__ import annotations

from toolkit.cluster.tables import installed_packages
from toolkit.onhost.packages import is_one_of, package_states


def test_package_states() -> None:
    status = (
        "Package: libc6\nStatus: install ok installed\nVersion: 2.36\n\n"
        "Package: postgresql-15\nStatus: install ok installed\nPriority: optional\nVersion: 15.1\n"
        "Description: a server\n\n"
        "Package: redis-server\nStatus: install ok half-configured\nVersion: 7.0\n\n"
        "Package: mariadb-server\nStatus: deinstall ok config-files\nVersion: 10.11\n\n"
        "Package: postgresql-client-15\nStatus: install ok installed\nVersion: 15.1\n"
    )
    unfinished, installed = package_states(status)
    assert unfinished == ["redis-server"]
    assert installed == {"libc6": "2.36", "postgresql-15": "15.1", "postgresql-client-15": "15.1"}
    servers = [name for name in installed if is_one_of(name, installed_packages())]
    assert servers == ["postgresql-15"]
